"""What the routes accept and answer, as the OpenAPI document shows it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# PostgreSQL text holds no NUL character.
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
MAX_UNITS = 1_000_000_000
"""Far more than any stock, far less than the database's integers hold."""


class Request(BaseModel):
    """Base of the request bodies: exact types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ProductName(Request):
    """Asks for a product."""

    name: Text


class Purchase(Request):
    """Buys units of a product."""

    name: Text
    quantity: int = Field(ge=1, le=MAX_UNITS)


class StockChange(Request):
    """Sets a stock, or moves it; exactly one of ``stock`` and ``delta``."""

    name: Text
    stock: int | None = Field(default=None, ge=0, le=MAX_UNITS)
    delta: int | None = Field(default=None, ge=-MAX_UNITS, le=MAX_UNITS)

    @model_validator(mode="after")
    def _is_exactly_one_given(self) -> Self:
        if (self.stock is None) == (self.delta is None):
            raise ValueError("exactly one of stock and delta is wanted")
        return self


class Product(BaseModel):
    """One product of the catalogue."""

    productID: int  # noqa: N815 - the name on the wire
    name: str
    category: str
    price: float
    stock: int


class Catalogue(BaseModel):
    """Products in the order of their numbers."""

    data: list[Product]


class ProductDetails(BaseModel):
    """What a shopper sees of one product."""

    productID: int  # noqa: N815 - the name on the wire
    name: str
    price: float
    stock: int


class Receipt(BaseModel):
    """A purchase as the ledger has it."""

    purchaseID: int  # noqa: N815 - the name on the wire
    productID: int  # noqa: N815 - the name on the wire
    name: str
    quantity: int
    unitPrice: float  # noqa: N815 - the name on the wire
    total: float
    stock: int = Field(description="What this purchase left.")


class StockLevel(BaseModel):
    """A stock after it was set or moved."""

    productID: int  # noqa: N815 - the name on the wire
    name: str
    change: int
    stock: int


class Health(BaseModel):
    """The instance has just had an answer from the database."""

    status: str
    instance: str


class Counts(BaseModel):
    """Requests answered by one process since it started."""

    instance: str
    pid: int
    started_at: str
    requests: dict[str, int] = Field(description="By method and route template, such as GET /products/{product_id}.")


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str

"""The routes: HTTP in front of the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from fastapi import APIRouter, FastAPI, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp

from product_service import models
from product_service.counting import RequestCounter, RequestCounts
from product_service.faults import FaultInjector
from product_service.settings import Settings
from product_service.store import (
    DatabaseUnavailable,
    KeyReused,
    NotEnoughStock,
    Store,
    StoreError,
    UnknownProduct,
)
from product_service.timing import ServerTiming

if TYPE_CHECKING:
    from product_service.telemetry import Telemetry

STATUS_BY_ERROR: dict[type[StoreError], int] = {
    UnknownProduct: 404,
    NotEnoughStock: 409,
    KeyReused: 422,
    DatabaseUnavailable: 503,
}

router = APIRouter()


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": models.Problem} for status in (*statuses, 503)}


def _json(body: str) -> Response:
    # The models are declared for the OpenAPI document only: the database makes the JSON.
    return Response(body, media_type="application/json")


@router.get("/products", response_model=models.Catalogue, responses=_problems())
async def list_products(request: Request, category: Annotated[models.Text | None, Query()] = None) -> Response:
    """List the products of one category, or all."""
    return _json(await request.app.state.store.catalogue(category))


@router.get("/products/{product_id}", response_model=models.Product, responses=_problems(404))
async def get_product(request: Request, product_id: Annotated[int, Path(ge=1, le=2**31 - 1)]) -> Response:
    """Return one product by its number."""
    return _json(await request.app.state.store.product(product_id))


@router.post("/products/details", response_model=models.ProductDetails, responses=_problems(404))
async def get_details(request: Request, wanted: models.ProductName) -> Response:
    """Return what a shopper sees of one product."""
    return _json(await request.app.state.store.details(wanted.name))


@router.post("/products/buy", response_model=models.Receipt, responses=_problems(404, 409))
async def buy(
    request: Request, purchase: models.Purchase, idempotency_key: Annotated[UUID | None, Header()] = None
) -> Response:
    """Sell units of one product; never more than there are.

    With an ``Idempotency-Key`` the same purchase can be sent again: what was sold once is answered once more and not
    sold again. A purchase that was refused sold nothing, so its key stays unused.
    """
    key = None if idempotency_key is None else str(idempotency_key)
    return _json(await request.app.state.store.buy(purchase.name, purchase.quantity, key))


@router.put("/products/stock", response_model=models.StockLevel, responses=_problems(404, 409))
async def change_stock(request: Request, change: models.StockChange) -> Response:
    """Set a stock to a number of units, or move it by a number of units."""
    store: Store = request.app.state.store
    if change.stock is not None:
        return _json(await store.set_stock(change.name, change.stock))
    assert change.delta is not None  # the model has seen to it
    return _json(await store.move_stock(change.name, change.delta))


@router.get("/health", response_model=models.Health, responses=_problems())
async def health(request: Request) -> Response:
    """Tell whether the database answers."""
    await request.app.state.store.check()
    return JSONResponse({"status": "ok", "instance": request.app.state.counts.instance})


@router.get("/internal/requests", response_model=models.Counts)
async def count_requests(request: Request) -> Response:
    """Return how many requests this process has answered, those to ``/health`` and to this route left out."""
    return JSONResponse(request.app.state.counts.as_json())


async def _answer_store_error(_request: Request, error: Exception) -> Response:
    status = next(status for kind, status in STATUS_BY_ERROR.items() if isinstance(error, kind))
    return JSONResponse({"detail": str(error)}, status_code=status)


async def _answer_bad_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Without the input, which FastAPI would repeat: half a surrogate pair cannot be sent back.
    problems = [{name: problem[name] for name in ("type", "loc", "msg")} for problem in error.errors()]
    return JSONResponse({"detail": problems}, status_code=422)


@asynccontextmanager
async def _closing(app: FastAPI) -> AsyncIterator[None]:
    yield
    await app.state.store.close()
    if app.state.telemetry is not None:
        app.state.telemetry.close()


def _trace(app: FastAPI, settings: Settings) -> Telemetry:
    from product_service.telemetry import Telemetry  # noqa: PLC0415 - half a second, only where it is asked for

    return Telemetry(app, settings.instance)


def create_app(settings: Settings, store: Store) -> ASGIApp:
    """Build the application around an open store, which it closes at the end."""
    app = FastAPI(title="Product service", version="1", lifespan=_closing, docs_url=None, redoc_url=None)
    app.state.store = store
    app.state.counts = RequestCounts(settings.instance)
    app.include_router(router)
    app.add_exception_handler(RequestValidationError, _answer_bad_request)
    app.add_exception_handler(StoreError, _answer_store_error)
    if settings.faults.is_any:
        app.add_middleware(FaultInjector, faults=settings.faults)
    app.state.telemetry = _trace(app, settings) if settings.is_traced else None
    # Outside of FastAPI, so that even the answer to an unexpected error is counted, timed, and names the instance.
    return ServerTiming(RequestCounter(app, counts=app.state.counts, routes=router.routes))

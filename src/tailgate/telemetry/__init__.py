"""Send what a load run measured to an OpenTelemetry collector: the only importer of OpenTelemetry.

Nothing global is set: no provider, no propagator, so tests that use OpenTelemetry themselves go on as before.
"""

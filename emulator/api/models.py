"""`GET /v1/models` and `/v1/models/{id}`: which models there are and what each can do."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emulator.api.guard import emulator_of
from emulator.api.paging import check_names, cursors, listing, page_of, several
from emulator.clock import rfc3339
from emulator.errors import not_found
from emulator.request.catalog import EFFORTS, ModelTraits

LIFECYCLES = ("active", "deprecated", "retired")
LISTED_BY_DEFAULT = ("active", "deprecated")
THINKING_TYPES = ("adaptive", "between_tools", "disabled", "enabled")


async def list_models(http: Request) -> Response:
    """Newest first; retired models only when they are asked for."""
    check_names(http, ("limit", "after_id", "before_id"), several=("lifecycle",))
    wanted = several(http, "lifecycle", LIFECYCLES) or LISTED_BY_DEFAULT
    models = [model for model in emulator_of(http).catalog.values() if model.lifecycle in wanted]
    limit, after, before = cursors(http)
    page, has_more = page_of(models, [model.name for model in models], limit, after, before)
    return JSONResponse(listing([_info(model) for model in page], has_more))


async def retrieve_model(http: Request) -> Response:
    """One model, retired or not."""
    name = http.path_params["model_id"]
    catalog = emulator_of(http).catalog
    if name not in catalog:
        raise not_found(f"model: {name}")
    return JSONResponse(_info(catalog[name]))


def _info(model: ModelTraits) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.display_name,
        "created_at": rfc3339(model.released),
        "lifecycle": model.lifecycle,
        "line": model.family if model.lifecycle != "retired" else None,
        "max_input_tokens": model.context_tokens,
        "max_tokens": model.output_tokens_max,
        "deprecated_at": None,
        "retires_at": None,
        "capabilities": _capabilities(model),
    }


def _capabilities(model: ModelTraits) -> dict[str, Any]:
    """What this emulator can do with the model: what it does not imitate is said to be unsupported."""
    no, yes = {"supported": False}, {"supported": True}
    return {
        "batch": yes,
        "citations": no,
        "code_execution": no,
        "context_management": no,
        "effort": {
            "supported": bool(model.efforts),
            **{effort: {"supported": effort in model.efforts} for effort in EFFORTS},
        },
        "image_input": no,
        "pdf_input": no,
        "server_tools": {"supported": False, "code_execution": no, "web_search": no},
        "structured_outputs": yes,
        "thinking": {
            "supported": set(model.thinking) != {"disabled"},
            "types": {kind: {"supported": kind in model.thinking} for kind in THINKING_TYPES},
        },
    }

"""How everything stands: services, pairs by state and by route, shards, failures by reason."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from sqlalchemy.engine import Engine

from db.failures import failure_counts
from db.pairs import count_by_state
from db.queues import count_items
from db.routes import route_counts
from db.session import make_engine, transaction
from db.shards import shard_counts
from flows.console import print_json, print_table
from flows.services import embedded
from flows.services.embedded import ServiceStatus
from flows.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What `maskloop status` shows. The counts are empty while the database is down."""

    services: list[ServiceStatus]
    pairs: Mapping[str, int] = field(default_factory=dict)
    routes: Mapping[str, int] = field(default_factory=dict)
    shards: Mapping[str, int] = field(default_factory=dict)
    queues: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)


def overview(settings: Settings) -> Overview:
    """Look at everything without starting anything."""
    services = embedded.status(settings)
    database = services[0]
    if not database.is_running:
        return Overview(services=services)
    return counted(make_engine(embedded.database_url(settings)), services)


def counted(engine: Engine, services: list[ServiceStatus]) -> Overview:
    """Return the overview of a database that answers."""
    with transaction(engine) as session:
        pairs = {state.value: number for state, number in count_by_state(session).items()}
        shards = asdict(shard_counts(session))
        routes = {route.name: number for route, number in route_counts(session).items()}
        items = count_items(session)
        found = failure_counts(session)
    by_reason = {f"{stage}: {reason}": number for (stage, reason), number in found.items()}
    queues = {f"{queue}: {state}": number for (queue, state), number in items.items()}
    return Overview(
        services=services,
        pairs=pairs,
        routes=routes,
        shards=shards,
        queues=queues,
        failures=by_reason,
    )


def print_overview(seen: Overview, *, as_json: bool) -> None:
    """Show *seen* as tables or JSON."""
    if as_json:
        print_json(asdict(seen))
        return
    rows = [(each.name, _state(each), each.address) for each in seen.services]
    print_table("services", ("service", "state", "address"), rows)
    for title in ("pairs", "routes", "shards", "queues", "failures"):
        counts: Mapping[str, int] = getattr(seen, title)
        if any(counts.values()):
            print_table(title, (title, "number"), list(counts.items()))


def _state(service: ServiceStatus) -> str:
    if service.is_running:
        return "running"
    return "DOWN" if service.is_wanted else "not started"

"""The verifier in use, and what it is asked with: media and stored answers."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from sqlalchemy.engine import Engine

from db.media import SourceReader
from db.model_versions import add_model_version
from db.session import transaction
from db.verdicts import verdicts_by_id
from engine.asking import Inquiry
from engine.ports import MediaReader, Verifier
from engine.verdicts import Verdict
from flows.blobs import s3_client
from flows.registry import with_champions
from flows.services.embedded import verifier_kept
from flows.settings import Settings


@asynccontextmanager
async def connected(settings: Settings, engine: Engine) -> AsyncIterator[Inquiry]:
    """
    Connect to the verifier, starting the embedded server if none is given, and note its version.

    It is the one that the settings name, or else the champion, or else the bundled one.

    Raises:
        ServiceUnavailableError: If no server answers.
        ConfigError: If the servers do not serve the model, or the weights are none.
    """
    # Drawing pictures needs torch, which takes seconds to import.
    from verifiers.client.connecting import connect

    settings = with_champions(settings, engine=engine)
    given = settings.verifier
    with verifier_kept(settings) as named:
        verifier = await connect(named, named.addresses)
        with transaction(engine) as session:
            where = given.endpoints or given.weights
            add_model_version(session, name=verifier.name, role="verifier", weights_uri=where)
        reader = SourceReader(engine, client=s3_client(settings))
        yield inquiry_of(verifier, reader, engine=engine, cpu_threads=given.cpu_threads)


def inquiry_of(
    verifier: Verifier, reader: MediaReader, *, engine: Engine, cpu_threads: int
) -> Inquiry:
    """Return an inquiry that asks nothing of *verifier* that *engine* has its answer to."""

    def stored(verdict_ids: Iterable[str]) -> Mapping[str, Verdict]:
        with transaction(engine) as session:
            return verdicts_by_id(session, verdict_ids)

    return Inquiry(
        verifier=verifier,
        media=reader,
        stored=stored,
        num_threads=cpu_threads,
        images_ahead=2 * cpu_threads,
    )

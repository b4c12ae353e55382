"""The containers backend, the one door to testcontainers and docker; its containers carry our labels."""

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from labrunner.errors import MachineError
from labrunner.services.processes import last_lines
from labrunner.services.server import ContainerRecipe, Progress, Server, Service
from labrunner.waiting import poll

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

_LABEL = "labrunner.server"
_READY_S = 60.0
_MEGABYTE = 1_000_000


@contextmanager
def run(service: Service, identity: str, environ: Mapping[str, str], progress: Progress) -> Iterator[Server]:
    """Run a server in a container for as long as the block lasts. `identity` is the value of its label.

    Raises MachineError when the engine does not answer, has no such image and cannot pull it, or when the
    container ends instead of answering.
    """
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer

    recipe = service.container(environ, secrets.token_urlsafe(24))
    with _engine_words():
        with _client() as client:
            _have_image(client, service, recipe, progress)
            # Ryuk is used where its image is at hand; our labels and `end_orphans` do its work elsewhere.
            testcontainers_config.ryuk_disabled = not _has_image(client, testcontainers_config.ryuk_image)
        progress(f"starting {recipe.image}")
        container = (
            DockerContainer(recipe.image)
            .with_envs(**recipe.environment)
            .with_exposed_ports(recipe.port)
            .with_command(list(recipe.command))
            .with_kwargs(labels={_LABEL: identity}, shm_size=recipe.shm_bytes)
        )
    with contextlib.ExitStack() as stack:
        with _engine_words():
            stack.callback(_remove, identity)
            container.start()
            try:
                port = container.get_exposed_port(recipe.port)
            except Exception:
                # Testcontainers says only that it does not run; its own last words say why.
                _refuse_ended(service, container.get_wrapped_container(), recipe)
                raise
            server = Server(
                service=service.name,
                backend="containers",
                version="",
                host=container.get_container_host_ip(),
                port=port,
                user=recipe.environment["POSTGRES_USER"],
                password=recipe.environment["POSTGRES_PASSWORD"],
                database="postgres",
            )
        yield _answering(service, server, container.get_wrapped_container(), recipe)


def end_orphans(identity: str) -> int:
    """Remove every container with this label value; returns how many there were."""
    with _engine_words():
        return _remove(identity)


def _refuse_ended(service: Service, container: "Container", recipe: ContainerRecipe) -> None:
    container.reload()
    if container.status in {"exited", "dead"}:
        raise _no_server(service, container, recipe, "ended at its start")


def _no_server(service: Service, container: "Container", recipe: ContainerRecipe, what: str) -> MachineError:
    log = container.logs(tail=20).decode("utf-8", "replace")
    return MachineError(
        f"the container of {recipe.image} {what}; its last lines:\n{last_lines(log)}",
        hint=f"check that {service.image_variable} names an image of {service.name}",
    )


def _answering(service: Service, server: Server, container: "Container", recipe: ContainerRecipe) -> Server:
    def version() -> str | None:
        found = service.probe(server)
        if found is None:
            with _engine_words():
                _refuse_ended(service, container, recipe)
        return found

    found = poll(version, timeout_s=_READY_S)
    if found is None:
        raise _no_server(service, container, recipe, f"did not answer within {_READY_S:g} s")
    return replace(server, version=found)


def _have_image(
    client: "docker.DockerClient", service: Service, recipe: ContainerRecipe, progress: Progress
) -> None:
    import docker.errors

    if _has_image(client, recipe.image):
        return
    progress(f"pulling {recipe.image} (once on this machine)")
    try:
        repository, tag = _split(recipe.image)
        for line in client.api.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in line:
                raise _cannot_pull(service, recipe, line["error"])
            detail = line.get("progressDetail") or {}
            if detail.get("total"):
                done, total = detail.get("current", 0) / _MEGABYTE, detail["total"] / _MEGABYTE
                progress(f"pulling {recipe.image}: {line.get('id', '')} {done:.0f} of {total:.0f} MB")
    except docker.errors.APIError as error:
        raise _cannot_pull(service, recipe, error.explanation or str(error)) from error


def _cannot_pull(service: Service, recipe: ContainerRecipe, why: str) -> MachineError:
    return MachineError(
        f"the engine has no image {recipe.image} and cannot pull it: {why}",
        hint=f"connect to the network, set {service.image_variable} to an image that is here, "
        "or use --backend embedded",
    )


def _split(image: str) -> tuple[str, str]:
    if "@" in image:
        repository, digest = image.split("@", 1)
        return repository, digest
    head, colon, tag = image.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (image, "latest")


def _has_image(client: "docker.DockerClient", image: str) -> bool:
    import docker.errors

    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        return False
    return True


def _remove(identity: str) -> int:
    import docker.errors

    with _client() as client:
        found = client.containers.list(all=True, filters={"label": f"{_LABEL}={identity}"})
        for container in found:
            with contextlib.suppress(docker.errors.NotFound):
                container.remove(force=True, v=True)
        return len(found)


@contextmanager
def _client() -> Iterator["docker.DockerClient"]:
    import docker

    client = docker.from_env()
    try:
        yield client
    finally:
        client.close()


@contextmanager
def _engine_words() -> Iterator[None]:
    """Give every way in which an engine can be missing or break one set of words."""
    import docker.errors
    import requests

    try:
        yield
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise MachineError(
            f"the container engine did not do what was asked: {error}",
            hint="start the engine and check your right to its socket, or use --backend embedded",
        ) from error

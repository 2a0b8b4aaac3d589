"""Fetch the jars that no wheel carries, with the Ivy that PySpark ships; once, then from the cache."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from infra.local import Notify
from infra.local.fetch.java import Java
from infra.local.fetch.truststore import write_truststore
from infra.local.files import locked
from pipelines.errors import UserFault

_WAITING = "等待另一个进程下载 waiting for another process that fetches the same jars"
MANIFEST = "manifest.json"  # written last: file name -> size in bytes
_STEP = re.compile(r"\[SUCCESSFUL \] .*!(\S+\.jar)|found (\S+) in")  # a jar was fetched; a module was found
_IVY_FILES = Path(__file__).parent / "ivy"


@dataclass(frozen=True)
class Bundle:
    """Jars that belong together: the first dependency of `ivy/<name>.xml` and what it needs, `count` jars in all."""

    name: str
    zh: str
    count: int

    @property
    def ivy_file(self) -> Path:
        return _IVY_FILES / f"{self.name}.xml"

    @property
    def version(self) -> str:
        """Version of the first dependency of the Ivy file, the only place that states it."""
        dependency = ElementTree.parse(self.ivy_file).find(".//dependency")  # noqa: S314 - a file of this package
        assert dependency is not None
        return dependency.attrib["rev"]

    def folder(self, cache: Path) -> Path:
        """Where the jars are stored. The folder's name changes with the Ivy file."""
        return cache / "jars" / f"{self.name}-{hashlib.sha256(self.ivy_file.read_bytes()).hexdigest()[:12]}"


KAFKA = Bundle("kafka", "Kafka 服务端", 46)
SPARK_KAFKA = Bundle("spark-kafka", "Spark 的 Kafka 数据源", 4)


def jars(
    bundle: Bundle, cache: Path, java: Java, *, ivy_settings: Path | None = None, notify: Notify = lambda _: None
) -> tuple[Path, ...]:
    """Paths of the bundle's jars, fetched if the cache lacks them or holds a damaged copy.

    Raises:
        UserFault: they could not be fetched, or the cache cannot be written.
    """
    folder = bundle.folder(cache)
    if cached := _complete(folder):
        return cached
    try:
        with locked(folder.with_suffix(".lock"), lambda: notify(_WAITING), patience=3600):
            return _complete(folder) or _fetch(bundle, folder, java, ivy_settings, notify)
    except OSError as error:
        raise UserFault(
            f"无法写入缓存 cannot write {folder.parent} ({error.strerror}); "
            "请设置 set GRIDSTREAM_CACHE to a folder that you may write"
        ) from error


def _complete(folder: Path) -> tuple[Path, ...]:
    """The jars, or nothing when one is missing or its size is not the size in the manifest."""
    try:
        sizes: dict[str, int] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        paths = tuple(folder / name for name in sizes)
        return paths if all(path.stat().st_size == sizes[path.name] for path in paths) else ()
    except (OSError, ValueError):
        return ()


def _fetch(bundle: Bundle, folder: Path, java: Java, ivy_settings: Path | None, notify: Notify) -> tuple[Path, ...]:
    """Fetch into a draft next to `folder`, then rename it. Ivy verifies checksums; its own cache is deleted."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{bundle.name}-") as scratch:
        draft, log = Path(scratch) / "jars", folder.with_suffix(".log")
        with log.open("w", encoding="utf-8") as file:
            for done, jar in _ivy(bundle, Path(scratch), java, ivy_settings, file.write):
                notify(f"下载 {bundle.zh} fetching jars {done}/{bundle.count}: {jar}")
        sizes = {path.name: path.stat().st_size for path in sorted(draft.glob("*.jar"))}
        if len(sizes) != bundle.count:
            raise UserFault(
                f"下载不全 could not fetch the {bundle.name} jars ({len(sizes)} of {bundle.count}; see {log}); "
                "请检查网络 check the network, or name a Maven mirror in an Ivy settings file and set "
                "GRIDSTREAM_IVY_SETTINGS to it"
            )
        (draft / MANIFEST).write_text(json.dumps(sizes, indent=1), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        draft.replace(folder)
    return _complete(folder)


def _ivy(
    bundle: Bundle, scratch: Path, java: Java, ivy_settings: Path | None, log: Callable[[str], object]
) -> Iterator[tuple[int, str]]:
    """Run Ivy in `scratch`; yields the number of jars fetched so far, and the jar or module just found."""
    trust = write_truststore(scratch / "trust.p12") if java.bundled else []
    command: list[Path | str] = [java.executable, *trust, *_proxy(), "-cp", _ivy_jar(), "org.apache.ivy.Main"]
    command += ["-ivy", bundle.ivy_file, "-confs", "default", "-cache", "ivy"]
    command += ["-retrieve", "jars/[artifact]-[revision].[ext]"]  # relative: Ivy would interpret brackets in a path
    command += ["-settings", ivy_settings] if ivy_settings else []
    done = 0
    with subprocess.Popen(  # noqa: S603
        command,
        cwd=scratch,
        env=os.environ | {"LC_ALL": "C.UTF-8"},  # Java decodes file names by the locale
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                log(line)
                if match := _STEP.search(line):
                    done += match[1] is not None
                    yield done, match[1] or match[2]
        finally:
            process.kill()


def _ivy_jar() -> Path:
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    return next((Path(spec.origin).parent / "jars").glob("ivy-*.jar"))


def _proxy() -> Iterator[str]:
    """Arguments for the proxy of this environment, because Java does not read https_proxy."""
    if proxy := urllib.request.getproxies().get("https"):
        parts = urlsplit(proxy)
        yield f"-Dhttps.proxyHost={parts.hostname}"
        yield f"-Dhttps.proxyPort={parts.port or 80}"

"""From settings to open ports and packs, opened when first used and closed together."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegle.core import observe, plugins
from aegle.core.errors import SettingsError
from aegle.core.pack import Cue, Pack, Pattern, Reader, Recogniser, Rule, Tags
from aegle.core.ports import (
    Closes,
    CorpusStore,
    Encoder,
    Generator,
    GraphStore,
    Index,
    Progress,
    quiet,
)
from aegle.core.settings import Settings
from aegle.corpus import sight
from aegle.corpus.redact import Policy
from aegle.corpus.sight import Sight
from aegle.corpus.vault import Vault
from aegle.facts.lexicon import Lexicon
from aegle.flows import (
    indexing,
    moving,
    rerankers,
    taggers,
    terminologies,
    workspace,
)
from aegle.flows.ledger import Ledger
from aegle.flows.workspace import Layout
from aegle.lm import catalog

if TYPE_CHECKING:
    from aegle.answer.support import Verifier
    from aegle.facts.linker import Linker
    from aegle.flows.ahead import Ahead
    from aegle.flows.naming import Passages
    from aegle.graph.walk import Walker
    from aegle.retrieve.namebook import NameBook
    from aegle.retrieve.token_book import TokenBook


class Kit:
    """Everything that a command needs of a workspace. Use `open_kit`; it owns the lock."""

    def __init__(self, layout: Layout, settings: Settings, progress: Progress = quiet) -> None:
        self.layout = layout
        self.settings = settings
        self.progress = progress
        self.lock = threading.RLock()
        self.filling = threading.Lock()
        self.told_former = False
        self._stack = ExitStack()

    def close(self) -> None:
        """Close every port that was opened."""
        self._stack.close()

    def read_ahead(self) -> None:
        """Open what a question needs, two things at a time: much of it waits for files."""
        with self.lock:
            if {"index", "walker", "corpus", "lexicons"} <= set(self.__dict__):
                return
            with ThreadPoolExecutor(1, thread_name_prefix="aegle-open") as pool:
                index = pool.submit(lambda: self.index)
                for _ in (self.corpus, self.patterns, self.cues, self.rules, self.lexicons):
                    pass
                if self.settings.retrieve.graph:
                    _ = self.walker.names
                index.result()

    def drop(self, *ports: str) -> None:
        """Close ports and open them anew when next used."""
        self.graph_changed()
        for port in ports:
            opened = self.__dict__.pop(port, None)
            if opened is not None:
                opened.close()

    def closes(self, opened: Closes) -> None:
        """Close something together with the kit."""
        self._stack.callback(opened.close)

    def _open(self, port: str, name: str, /, *args: Any, **options: Any) -> Any:
        opened: Closes = plugins.find(port, name)(*args, **options)
        self.closes(opened)
        return opened

    # stores

    @cached_property
    def ledger(self) -> Ledger:
        """The journal of sources, quarantine and audit."""
        ledger = Ledger(self.layout.ledger)
        self._stack.callback(ledger.close)
        return ledger

    @cached_property
    def corpus(self) -> CorpusStore:
        """Documents, chunks and facts: the truth."""
        store: CorpusStore = self._open("corpus", self.settings.backends.corpus, self.layout.corpus)
        return store

    @cached_property
    def index(self) -> Index:
        """Chunks by meaning and by words."""
        name, options = indexing.chosen(self.settings.backends, self.layout, self.encoder.width)
        index: Index = self._open("index", name, self.layout.index, **options)
        return index

    @cached_property
    def graph(self) -> GraphStore:
        """Entities and relations with evidence."""
        store: GraphStore = self._open("graph", self.settings.backends.graph, self.layout.graph)
        return store

    @cached_property
    def walker(self) -> Walker:
        """Walks on the graph as it stands now; dropped when the graph changes."""
        walker: Walker = plugins.load("aegle.graph.walk:Walker")(self.graph)
        return walker

    def graph_changed(self) -> None:
        """Forget what walks, so that the next question sees the new graph."""
        self.__dict__.pop("walker", None)
        self.__dict__.pop("passages", None)

    # Loaded when needed, as the verifier below: numpy is more than `aegle status` takes.

    @cached_property
    def names(self) -> NameBook:
        """What the chunks of the index name."""
        names: NameBook = plugins.load("aegle.flows.naming:opened")(self)
        return names

    @cached_property
    def passages(self) -> Passages | None:
        """The graph of what passages name; None where not all names are known."""
        passages: Passages | None = plugins.load("aegle.flows.naming:passages")(self)
        return passages

    @cached_property
    def token_book(self) -> TokenBook:
        """Token vectors of the chunks, where the settings ask for them."""
        book: TokenBook = plugins.load("aegle.flows.tokens:opened")(self)
        return book

    # models

    def _model(self, name: str) -> Path:
        return catalog.resolve(name, progress=self.progress)

    @cached_property
    def encoder(self) -> Encoder:
        """Text to vectors."""
        backends = self.settings.backends
        model = self._model(backends.encoder_model)
        encoder: Encoder = self._open(
            "encoder",
            backends.encoder,
            model,
            threads=backends.threads,
            dimensions=backends.encoder_dimensions,
        )
        return encoder

    @cached_property
    def ahead(self) -> Ahead:
        """The encoder, for what can be told beforehand: a question."""
        ahead: Ahead = plugins.load("aegle.flows.ahead:Ahead")(
            lambda texts: self.encoder.embed(texts)
        )
        self.closes(ahead)
        return ahead

    tagger_folder = cached_property(taggers.folder)
    tagger_version = cached_property(taggers.version)
    tagger = cached_property(taggers.opened)

    @cached_property
    def generator(self) -> Generator:
        """Phrases answers; opened only when asked for."""
        backends = self.settings.backends
        if backends.generator_url:
            generator: Generator = self._open(
                "generator", "openai", backends.generator_url, model=backends.generator_model
            )
            return generator
        model = self._model(backends.generator_model)
        local: Generator = self._open(
            "generator", backends.generator, model, threads=backends.threads
        )
        return local

    late = cached_property(rerankers.late)
    reranker = cached_property(rerankers.opened)

    @cached_property
    def verifier(self) -> Verifier | None:
        """What verifies phrased claims; None where the rules on words do."""
        verifier: Verifier | None = plugins.load("aegle.flows.verifying:opened")(self)
        return verifier

    # packs

    @cached_property
    def packs(self) -> dict[str, Pack]:
        """The domains that this workspace reads, by name."""
        return {name: plugins.find("packs", name) for name in self.settings.packs}

    @cached_property
    def readers(self) -> list[Reader]:
        """Every reader of the packs, with the options that its constructor takes."""
        columns: dict[str, str] = {}
        ties: dict[tuple[str, str], str] = {}
        for pack in self.packs.values():
            columns |= pack.columns
            ties |= pack.ties
        options = {
            "columns": columns,
            "ties": ties,
            "ocr": self.settings.sources.ocr,
            "window_s": self.settings.sources.log_window_s,
        }
        targets = [target for pack in self.packs.values() for target in pack.readers.values()]
        return [_construct(plugins.load(target), options) for target in targets]

    @cached_property
    def recognisers(self) -> dict[str, Sequence[Recogniser]]:
        """Recognisers by domain; the neutral ones serve every domain."""
        return {name: plugins.load(pack.recognisers)() for name, pack in self.packs.items()}

    @cached_property
    def sights(self) -> dict[str, Sight]:
        """The tagger as de-identification uses it, by domain; empty where it does not."""
        tagger = None if self.settings.redact.tagger == "none" else self.tagger
        if tagger is None or sight.LABELS not in tagger.heads:
            return {}

        def tag(text: str) -> Sequence[sight.Seen]:
            (told,) = tagger.tag([text], tasks=[sight.LABELS], bias=sight.BIAS)
            return told[sight.LABELS]

        return {
            name: Sight(
                tag,
                self.tagger_version,
                plugins.load(pack.doubts)() if pack.doubts else sight.believed,
            )
            for name, pack in self.packs.items()
        }

    @cached_property
    def policies(self) -> dict[str, Policy]:
        """What de-identification keeps and shifts, by domain."""
        redact = self.settings.redact
        extra = frozenset(redact.keep)
        dropped = frozenset({"account"}) if redact.remove_accounts else frozenset()
        return {
            name: Policy(
                keeps=(pack.keeps | extra) - dropped,
                shift_dates=pack.shifts_dates,
                override_reason=redact.override_reason,
            )
            for name, pack in self.packs.items()
        }

    @cached_property
    def vault(self) -> Vault:
        """Surrogates and pseudonyms."""
        return Vault(
            workspace.secret(self.layout),
            shift_days=self.settings.redact.shift_days,
            joined=self.ledger.names.group,
        )

    # facts

    @cached_property
    def lexicons(self) -> dict[str, list[Lexicon]]:
        """Terminologies by domain; general documents use every pack's."""
        cache = catalog.cache_folder() / "lexicons"
        own = {
            name: Lexicon.cached(cache, name, pack.terms_version, plugins.load(pack.terms))
            for name, pack in self.packs.items()
        }
        added = terminologies.lexicons(self.settings.knowledge.terminologies, self.packs, cache)
        every = [lexicon for name in own for lexicon in (own[name], *added.get(name, ()))]
        return {
            name: every if name == "general" else [own[name], *added.get(name, ())]
            for name in self.packs
        }

    @cached_property
    def linkers(self) -> dict[str, Linker]:
        """What names stand for that no terminology has as they are written, by domain."""
        how = self.settings.knowledge
        return terminologies.linkers(self.lexicons, how, lambda texts: self.encoder.embed(texts))

    def _of_pack(self, attribute: str, domain: str) -> list[Any]:
        every = [
            (name, plugins.load(getattr(pack, attribute))) for name, pack in self.packs.items()
        ]
        chosen = [make for name, make in every if domain in ("general", name) or name == "general"]
        return [item for make in chosen for item in make()]

    @cached_property
    def tags(self) -> dict[str, tuple[Tags, ...]]:
        """How to read the tagger by domain; general documents are read as every domain's."""
        own = {name: plugins.load(pack.tags)() for name, pack in self.packs.items() if pack.tags}
        return {
            name: tuple(tags for other, tags in own.items() if name in ("general", other))
            for name in self.packs
        }

    @cached_property
    def thresholds(self) -> Mapping[str, float]:
        """Entity type -> the least probability at which the tagger is believed, as the user set it.

        Raises:
            SettingsError: no pack of this workspace takes such a type from the tagger.
        """
        told = self.settings.knowledge.thresholds
        known = {
            type
            for tags in self.tags.values()
            for one in tags
            for labels in one.sets.values()
            for types in labels.types.values()
            for type in types
        } | {""}
        for type in told.keys() - known:
            close = difflib.get_close_matches(type, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {_listed(known)}"
            raise SettingsError(f"knowledge.thresholds: no entity type {type!r}; {hint}")
        return told

    @cached_property
    def patterns(self) -> dict[str, list[Pattern]]:
        """Patterns by domain; the neutral ones serve every domain."""
        return {name: self._of_pack("patterns", name) for name in self.packs}

    @cached_property
    def cues(self) -> dict[str, list[Cue]]:
        """Assertion cues by domain."""
        return {name: self._of_pack("cues", name) for name in self.packs}

    @cached_property
    def rules(self) -> dict[str, list[Rule]]:
        """Relation rules by domain."""
        return {name: self._of_pack("rules", name) for name in self.packs}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(filter(None, names)))


def _construct(make: Callable[..., Reader], options: Mapping[str, Any]) -> Reader:
    return make(**indexing.taken(make, options))


def watch(settings: Settings) -> None:
    """Send events where the settings say."""
    wanted = settings.observe
    sinks: list[observe.Sink] = [observe.to_json if wanted.format == "json" else observe.to_people]
    if wanted.otlp_endpoint:
        sinks.append(observe.open_telemetry(wanted.otlp_endpoint))
    observe.configure(*sinks, level=wanted.level)


@contextmanager
def open_kit(layout: Layout, settings: Settings, progress: Progress = quiet) -> Iterator[Kit]:
    """A kit over a workspace that the caller owns; closed with the block."""
    watch(settings)
    if settings.retrieve.hyde:
        plugins.load("aegle.flows.imagining:check")(settings)
    moving.finish(layout)
    kit = Kit(layout, settings, progress)
    try:
        yield kit
    finally:
        kit.close()

"""Rank items with a trained SEMINAR model: libseminar through ctypes, with numpy arrays.

    import seminar
    model = seminar.Model("model.safetensors")
    user = model.user()
    user.append(["318", ("50", "heist")])
    scores = user.rank(["1", "260"])
    ids, scores = user.top(10)

Items are texts, their ids in the data set, or whole numbers, their places in the model (1 .. items). A pair (item, query)
has the query under which the item was found: a text or a number. A text that was never asked is encoded where the model
reads words. Arrays of whole numbers are items. Mistakes raise seminar.Error with the library's message.
"""

from __future__ import annotations

import ctypes
import os
from typing import Iterable, NamedTuple, Sequence, Union

import numpy as np

__all__ = ["Error", "Info", "Model", "User", "version"]

Item = Union[str, int, np.integer]
Query = Union[str, int, np.integer]
Pairs = Union[np.ndarray, Iterable[Union[Item, "tuple[Item, Query]"]]]


class Error(Exception):
    """What libseminar refused, in one line."""


_NOT_FOUND = 4
_PAIR = np.dtype([("item", np.int32), ("query", np.int32), ("query_vector", np.uintp)], align=True)
_float_pointer = ctypes.POINTER(ctypes.c_float)


class _Info(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int32)
        for name in ("items", "queries", "channels", "width", "heads", "history", "k", "has_codes", "reads_texts")
    ]


class _Options(ctypes.Structure):
    _fields_ = [
        ("history", ctypes.c_int32),
        ("k", ctypes.c_int32),
        ("codes", ctypes.c_int32),
        ("channel_weights", _float_pointer),
    ]


class _Reasons(ctypes.Structure):
    _fields_ = [("retrieved", ctypes.c_void_p), ("attention", ctypes.c_void_p)]


class _Filter(ctypes.Structure):
    _fields_ = [
        ("allow", ctypes.c_void_p),
        ("deny", ctypes.c_void_p),
        ("bytes", ctypes.c_size_t),
        ("with_seen", ctypes.c_int32),
    ]


def _load() -> ctypes.CDLL:
    path = os.environ.get("SEMINAR_LIBRARY") or os.path.join(os.path.dirname(__file__), "libseminar.so")
    c = ctypes.CDLL(path)
    c.seminar_version.restype = c.seminar_last_error.restype = ctypes.c_char_p
    for name in ("seminar_model_close", "seminar_user_destroy", "seminar_finder_destroy"):
        getattr(c, name).restype = None
        getattr(c, name).argtypes = [ctypes.c_void_p]
    if c.seminar_abi_version() != 1:
        raise Error(f"{path}: ABI {c.seminar_abi_version()}, not 1")
    return c


_c = _load()


def version() -> str:
    """The library's version."""
    return _c.seminar_version().decode()


def _check(status: int) -> None:
    if status != 0:
        raise Error(_c.seminar_last_error().decode("utf-8", "replace"))


class Info(NamedTuple):
    """What a model is made of: items 1 .. items, queries 0 .. queries - 1 (0: none)."""

    items: int
    queries: int
    channels: int
    width: int
    heads: int
    history: int
    k: int
    has_codes: bool
    reads_texts: bool


class Model:
    """A file of `seminar export`, mapped: it must stay as it is while the model is in use. Threads may share a model."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._handle = ctypes.c_void_p()
        _check(_c.seminar_model_open(os.fsencode(path), None, ctypes.byref(self._handle)))
        raw = _Info()
        _check(_c.seminar_model_describe(self._handle, ctypes.byref(raw)))
        values = [getattr(raw, name) for name, _ in _Info._fields_]
        self.info = Info(*values[:7], bool(values[7]), bool(values[8]))

    def close(self) -> None:
        """Closes the model; its users may still be used."""
        if self._handle:
            _c.seminar_model_close(self._handle)
            self._handle = ctypes.c_void_p()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def item(self, name: str) -> int:
        """The number of the item with this id in the data set."""
        return self._find(_c.seminar_item_find, name)

    def query(self, text: str) -> int:
        """The number of a query that was asked in the data set."""
        return self._find(_c.seminar_query_find, text)

    def _find(self, function: ctypes._CFuncPtr, text: str) -> int:
        raw, found = text.encode(), ctypes.c_int32()
        _check(function(self._handle, raw, ctypes.c_size_t(len(raw)), ctypes.byref(found)))
        return found.value

    def name(self, item: int) -> str:
        """The id in the data set of an item by its number."""
        return self._texts(item)[0]

    def title(self, item: int) -> str:
        """The title of an item by its number."""
        return self._texts(item)[1]

    def _texts(self, item: int) -> tuple[str, str]:
        texts = [ctypes.c_void_p() for _ in range(2)]
        lengths = [ctypes.c_size_t() for _ in range(2)]
        _check(
            _c.seminar_item_text(
                self._handle,
                _whole(item, "item"),
                *(ctypes.byref(x) for pair in zip(texts, lengths) for x in pair),
            )
        )
        name, title = (
            ctypes.string_at(t.value, n.value).decode("utf-8", "replace") if n.value else ""
            for t, n in zip(texts, lengths)
        )
        return name, title

    def channel_names(self) -> list[str]:
        """The names of the channels, the query's first."""
        names = []
        for channel in range(self.info.channels):
            text, length = ctypes.c_void_p(), ctypes.c_size_t()
            _check(_c.seminar_channel_name(self._handle, channel, ctypes.byref(text), ctypes.byref(length)))
            names.append(ctypes.string_at(text.value, length.value).decode("utf-8", "replace"))
        return names

    def encode(self, text: str) -> np.ndarray:
        """The vector [width] of a text that was never asked."""
        raw, vector = text.encode(), np.empty(self.info.width, np.float32)
        _check(_c.seminar_query_encode(self._handle, raw, ctypes.c_size_t(len(raw)), vector.ctypes.data_as(_float_pointer)))
        return vector

    def user(
        self,
        history: int | None = None,
        k: int | None = None,
        codes: bool = False,
        weights: Sequence[float] | np.ndarray | None = None,
    ) -> "User":
        """A user without history. `history` behaviours are kept and `k` retrieved (default: as exported); `codes`
        retrieves by product-quantization codes; `weights` [channels] replace the model's, query first."""
        return User(self, history, k, codes, weights)

    def _pairs(self, pairs: Pairs) -> tuple[np.ndarray, list[np.ndarray]]:
        # As the library takes them, and the vectors that they point to.
        if isinstance(pairs, np.ndarray):
            if pairs.ndim != 1 or not np.issubdtype(pairs.dtype, np.integer):
                raise TypeError(f"items: an array must be of one axis of whole numbers: {pairs.ndim} of {pairs.dtype}")
            if pairs.size and (pairs.min() < -(2**31) or pairs.max() >= 2**31):
                raise Error("items: a number is too large")
            out = np.zeros(len(pairs), _PAIR)
            out["item"] = pairs
            return out, []
        if isinstance(pairs, (str, bytes)):
            raise TypeError("items: a list is needed, not one text")
        pairs, vectors = list(pairs), []
        out = np.zeros(len(pairs), _PAIR)
        for i, pair in enumerate(pairs):
            item, query = pair if isinstance(pair, tuple) else (pair, 0)
            out["item"][i] = self.item(item) if isinstance(item, str) else _whole(item, "item")
            out["query"][i], vector = self._query(query)
            if vector is not None:
                vectors.append(vector)
                out["query_vector"][i] = vector.ctypes.data
        return out, vectors

    def _query(self, query: Query | None) -> tuple[int, np.ndarray | None]:
        if not isinstance(query, str):
            return (0 if query is None else _whole(query, "query")), None
        raw, found = query.encode(), ctypes.c_int32()
        status = _c.seminar_query_find(self._handle, raw, ctypes.c_size_t(len(raw)), ctypes.byref(found))
        if status == _NOT_FOUND:
            return 0, self.encode(query)
        _check(status)
        return found.value, None


def _whole(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{what}: must be a text or a whole number: {value!r}")
    if not -(2**31) <= value < 2**31:
        raise Error(f"{what}: the number is too large: {value}")
    return int(value)


class User:
    """A user's history, and the memory that ranking needs. Of one thread at a time."""

    def __init__(self, model: Model, history: int | None, k: int | None, codes: bool, weights: object) -> None:
        options = _Options()
        _check(_c.seminar_user_defaults(model._handle, ctypes.byref(options)))
        options.history = options.history if history is None else _whole(history, "history")
        options.k = options.k if k is None else _whole(k, "k")
        options.codes = 1 if codes else 0
        if weights is not None:
            own = np.ascontiguousarray(weights, np.float32)
            if own.shape != (model.info.channels,):
                raise Error(f"weights: {model.info.channels} numbers are needed: {own.shape}")
            options.channel_weights = own.ctypes.data_as(_float_pointer)
        self._model, self._k, self._finder = model, options.k, ctypes.c_void_p()
        self._handle = ctypes.c_void_p()
        _check(_c.seminar_user_create(model._handle, ctypes.byref(options), ctypes.byref(self._handle)))

    def close(self) -> None:
        """Gives the memory back."""
        if self._finder:
            _c.seminar_finder_destroy(self._finder)
            self._finder = ctypes.c_void_p()
        if self._handle:
            _c.seminar_user_destroy(self._handle)
            self._handle = ctypes.c_void_p()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()

    def __len__(self) -> int:
        length = ctypes.c_int32()
        _check(_c.seminar_user_length(self._handle, ctypes.byref(length)))
        return length.value

    def append(self, behaviours: Pairs) -> None:
        """Adds behaviours, the newest last."""
        pairs, vectors = self._model._pairs(behaviours)
        for i in range(len(pairs)):
            _check(_c.seminar_user_append(self._handle, ctypes.c_void_p(pairs.ctypes.data + i * _PAIR.itemsize)))
        del vectors

    def clear(self) -> None:
        """Forgets all behaviours."""
        _check(_c.seminar_user_clear(self._handle))

    def rank(self, candidates: Pairs, out: np.ndarray | None = None) -> np.ndarray:
        """The scores [n] of candidates, float32; `out` is written in place if it is given. They order candidates; they
        are not probabilities."""
        pairs, vectors = self._model._pairs(candidates)
        scores = self._scores(out, len(pairs))
        _check(_c.seminar_rank(self._handle, ctypes.c_void_p(pairs.ctypes.data), ctypes.c_size_t(len(pairs)),
                               scores.ctypes.data_as(_float_pointer), None))
        del vectors
        return scores

    def explain(self, candidates: Pairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores [n], the retrieved behaviours [n, k] (0: the oldest that is kept, best first, -1 beyond them), and what
        each head gave them [n, heads, k]."""
        pairs, vectors = self._model._pairs(candidates)
        n = len(pairs)
        scores = np.empty(n, np.float32)
        retrieved = np.empty((n, self._k), np.int32)
        attention = np.empty((n, self._model.info.heads, self._k), np.float32)
        reasons = _Reasons(retrieved.ctypes.data, attention.ctypes.data)
        _check(_c.seminar_rank(self._handle, ctypes.c_void_p(pairs.ctypes.data), ctypes.c_size_t(n),
                               scores.ctypes.data_as(_float_pointer), ctypes.byref(reasons)))
        del vectors
        return scores, retrieved, attention

    def top(
        self,
        n: int,
        query: Query | None = None,
        allow: Iterable[Item] | None = None,
        deny: Iterable[Item] | None = None,
        with_seen: bool = False,
    ) -> tuple[list[str], np.ndarray]:
        """The ids and scores of the best n items of the whole catalogue for a query, best first. Items of the user's
        history are left out unless `with_seen`; `allow` and `deny` are items."""
        info = self._model.info
        if not 1 <= _whole(n, "n") <= info.items:
            raise Error(f"n must be from 1 to {info.items}: {n}")
        number, vector = self._model._query(query)
        pair = np.zeros(1, _PAIR)
        pair["query"] = number
        if vector is not None:
            pair["query_vector"] = vector.ctypes.data
        lists = [None if items is None else self._bits(items) for items in (allow, deny)]
        choice = _Filter(*(None if bits is None else bits.ctypes.data for bits in lists), info.items // 8 + 1,
                         1 if with_seen else 0)
        if not self._finder:
            _check(_c.seminar_finder_create(self._model._handle, ctypes.byref(self._finder)))
        found = ctypes.c_size_t()
        items, scores = np.empty(n, np.int32), np.empty(n, np.float32)
        _check(_c.seminar_top(self._finder, self._handle, ctypes.c_void_p(pair.ctypes.data), ctypes.c_size_t(n),
                              ctypes.byref(choice), ctypes.c_void_p(items.ctypes.data),
                              scores.ctypes.data_as(_float_pointer), ctypes.byref(found)))
        return [self._model.name(int(i)) for i in items[: found.value]], scores[: found.value]

    def _bits(self, items: Iterable[Item]) -> np.ndarray:
        info = self._model.info
        pairs, _ = self._model._pairs(items)
        if len(pairs) and (pairs["item"].min() < 1 or pairs["item"].max() > info.items):
            raise Error(f"items must be from 1 to {info.items}")
        marks = np.zeros((info.items // 8 + 1) * 8, np.uint8)
        marks[pairs["item"]] = 1
        return np.packbits(marks, bitorder="little")

    @staticmethod
    def _scores(out: np.ndarray | None, n: int) -> np.ndarray:
        if out is None:
            return np.empty(n, np.float32)
        if not isinstance(out, np.ndarray) or out.dtype != np.float32 or out.shape != (n,):
            raise TypeError(f"out: an array of {n} float32 is needed")
        if not out.flags.c_contiguous or not out.flags.writeable:
            raise TypeError("out: the array must be contiguous and writeable")
        return out

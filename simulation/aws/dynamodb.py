"""DynamoDB: one table with partition and sort key, conditional writes, and the expressions that its users write."""

from __future__ import annotations

import bisect
import functools
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from simulation.aws.errors import ApiError, NotSimulated

Item = dict[str, Any]
Names = Mapping[str, str]
Check = Callable[[Item, Names, Item], bool]
Operand = Callable[[Item, Names, Item], Any]

_WORD: Final = re.compile(r"\s*(<>|<=|>=|[=<>(),+]|[#:]?\w+)")
PAGE: Final = 8
"""How many items a scan looks at before it answers."""
_COMPARED: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


class Table:
    """The items, and who is told of a change of one: `changed(key, before, after)`."""

    def __init__(self, changed: Callable[[tuple[str, str], Item, Item], None]) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self._sorted: dict[str, list[str]] = {}
        self._changed = changed
        self._operations: dict[str, Callable[[Item], Item]] = {
            "GetItem": self._get,
            "PutItem": self._put,
            "UpdateItem": self._update,
            "DeleteItem": self._delete,
            "Query": self._query,
            "Scan": self._scan,
        }

    def call(self, operation: str, request: Item) -> Item:
        """Carry an operation out.

        Raises:
            ApiError: `ConditionalCheckFailedException`.
        """
        if operation not in self._operations:
            raise NotSimulated(f"DynamoDB {operation}")
        return self._operations[operation](request)

    def _get(self, request: Item) -> Item:
        item = self.items.get(_key(request["Key"]))
        return {"Item": dict(item)} if item else {}

    def _put(self, request: Item) -> Item:
        key = _key(request["Item"])
        self._check(key, request)
        self._keep(key, dict(request["Item"]))
        return {}

    def _delete(self, request: Item) -> Item:
        key = _key(request["Key"])
        self._check(key, request)
        if (before := self.items.pop(key, None)) is not None:
            self._sorted[key[0]].remove(key[1])
            self._changed(key, before, {})
        return {}

    def _update(self, request: Item) -> Item:
        key = _key(request["Key"])
        self._check(key, request)
        item = dict(self.items.get(key) or request["Key"])
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        for verb, name, value in _assignments(request["UpdateExpression"]):
            field = names.get(name, name)
            match verb:
                case "REMOVE":
                    item.pop(field, None)
                case "ADD" if "SS" in values[value]:
                    item[field] = {"SS": sorted({*item.get(field, {"SS": []})["SS"], *values[value]["SS"]})}
                case "ADD":
                    item[field] = {"N": str(int(item.get(field, {"N": "0"})["N"]) + int(values[value]["N"]))}
                case "DELETE":
                    rest = sorted({*item.pop(field, {"SS": []})["SS"]} - {*values[value]["SS"]})
                    item |= {field: {"SS": rest}} if rest else {}
                case "SET":
                    item[field] = values[value]
                case _:
                    item.setdefault(field, values[value])
        self._keep(key, item)
        return {}

    def _query(self, request: Item) -> Item:
        condition = request["KeyConditionExpression"]
        if condition != "pk = :pk AND begins_with(sk, :prefix)":
            raise NotSimulated(f"the key condition {condition}")
        values = request["ExpressionAttributeValues"]
        partition, prefix = values[":pk"]["S"], values[":prefix"]["S"]
        keys = self._sorted.get(partition, [])
        first = bisect.bisect_left(keys, prefix)
        sort_keys = list(_while_prefixed(keys, first, prefix))
        if request.get("ScanIndexForward") is False:
            sort_keys.reverse()
        if "ExclusiveStartKey" in request:
            sort_keys = sort_keys[sort_keys.index(request["ExclusiveStartKey"]["sk"]["S"]) + 1 :]
        limit = request.get("Limit", len(sort_keys))
        items = [dict(self.items[partition, key]) for key in sort_keys[:limit]]
        more = (
            {"LastEvaluatedKey": {"pk": {"S": partition}, "sk": {"S": sort_keys[limit - 1]}}}
            if sort_keys[limit:]
            else {}
        )
        return {"Items": items, "Count": len(items)} | more

    def _scan(self, request: Item) -> Item:
        """In pages; `ProjectionExpression`: the keys alone."""
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        filtered = _condition(request["FilterExpression"])
        keys = sorted(self.items)
        if "ExclusiveStartKey" in request:
            keys = keys[bisect.bisect_right(keys, _key(request["ExclusiveStartKey"])) :]
        page, rest = keys[:PAGE], keys[PAGE:]
        items = [_as_key(key) for key in page if filtered(self.items[key], names, values)]
        return {"Items": items, "Count": len(items)} | ({"LastEvaluatedKey": _as_key(page[-1])} if rest else {})

    def _keep(self, key: tuple[str, str], item: Item) -> None:
        before = self.items.get(key, {})
        if not before:
            bisect.insort(self._sorted.setdefault(key[0], []), key[1])
        self.items[key] = item
        self._changed(key, before, item)

    def _check(self, key: tuple[str, str], request: Item) -> None:
        if "ConditionExpression" not in request:
            return
        item = self.items.get(key, {})
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        if not _condition(request["ConditionExpression"])(item, names, values):
            old_item = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and item
            fields = {"Item": dict(item)} if old_item else {}
            raise ApiError("ConditionalCheckFailedException", "The conditional request failed", fields=fields)


def plain(item: Item) -> Item:
    """The values of an item, without their types."""
    return {name: _value(typed) for name, typed in item.items()}


def _key(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _as_key(key: tuple[str, str]) -> Item:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _while_prefixed(keys: list[str], first: int, prefix: str) -> Iterator[str]:
    for key in keys[first:]:
        if not key.startswith(prefix):
            return
        yield key


def _value(typed: Item) -> Any:
    ((kind, value),) = typed.items()
    return float(value) if kind == "N" else value


def _words(text: str) -> list[str]:
    words, position = [], 0
    text = text.strip()
    while position < len(text):
        if (match := _WORD.match(text, position)) is None:
            raise NotSimulated(f"the expression {text!r}")
        words.append(match[1])
        position = match.end()
    return words


@functools.cache
def _condition(text: str) -> Check:
    parser = _Condition(_words(text))
    check = parser.either()
    if parser.rest():
        raise NotSimulated(f"the condition {text!r}")
    return check


class _Condition:
    """A condition expression, read from left to right."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0

    def rest(self) -> list[str]:
        """What is not read yet."""
        return self._words[self._at :]

    def either(self) -> Check:
        """Terms joined by OR."""
        checks = [self._both()]
        while self._next() == "OR":
            self._take()
            checks.append(self._both())
        if len(checks) == 1:
            return checks[0]
        return lambda item, names, values: any(check(item, names, values) for check in checks)

    def _both(self) -> Check:
        checks = [self._one()]
        while self._next() == "AND":
            self._take()
            checks.append(self._one())
        if len(checks) == 1:
            return checks[0]
        return lambda item, names, values: all(check(item, names, values) for check in checks)

    def _one(self) -> Check:
        if self._next() == "(":
            self._take()
            check = self.either()
            self._take()
            return check
        if self._next() == "NOT":
            self._take()
            refused = self._one()
            return lambda item, names, values: not refused(item, names, values)
        if self._next() in ("ATTRIBUTE_EXISTS", "ATTRIBUTE_NOT_EXISTS"):
            exists = self._take().lower() == "attribute_exists"
            self._take()
            operand = self._operand()
            self._take()
            return lambda item, names, values: (operand(item, names, values) is not None) is exists
        first, sign, second = self._operand(), self._take(), self._operand()
        compared = _COMPARED[sign]

        def compare(item: Item, names: Names, values: Item) -> bool:
            one, other = first(item, names, values), second(item, names, values)
            if one is None or other is None or one.keys() != other.keys():
                return sign == "<>"
            return compared(_value(one), _value(other))

        return compare

    def _operand(self) -> Operand:
        word = self._take()
        if word.startswith(":"):
            return lambda item, names, values: values[word]
        return lambda item, names, values: item.get(names.get(word, word))

    def _next(self) -> str:
        return self._words[self._at].upper() if self._at < len(self._words) else ""

    def _take(self) -> str:
        self._at += 1
        return self._words[self._at - 1]


@functools.cache
def _assignments(text: str) -> list[tuple[str, str, str]]:
    """Verb, name and value of each part of an update expression."""
    words, at, verb = _words(text), 0, ""
    parts: list[tuple[str, str, str]] = []
    while at < len(words):
        word = words[at]
        if word.upper() in ("SET", "REMOVE", "ADD", "DELETE"):
            verb, at = word.upper(), at + 1
        elif word == ",":
            at += 1
        elif verb == "REMOVE":
            parts.append((verb, word, ""))
            at += 1
        elif verb in ("ADD", "DELETE"):
            parts.append((verb, word, words[at + 1]))
            at += 2
        elif words[at + 2] == "if_not_exists":
            parts.append(("SET ONCE", word, words[at + 6]))
            at += 8
        else:
            parts.append((verb, word, words[at + 2]))
            at += 3
    return parts

"""The reference: a cache that does nothing, but knows from RFC 9111 what a cache may have, and may and should do with it.

It is told what a cache under test did with each request (what it sent to the origin, what it answered) and raises
`Violation` when that is against the RFC, or when a good cache would have known better. It never predicts what is left to
the cache: where there is a choice, it keeps all possibilities and lets the answer tell which one it was. Responses carry
a serial of their own (`X-Serial`) and each head, a 304 too, a mark (`X-Mark`), so that none is taken for another.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from model import rfc
from model.rfc import Fields, Record, Version

DISCONNECTED_S = 86_400
"""For how long something stale may be used where no answer is to be had (§4.2.4): a day, unless configured otherwise."""


class Violation(AssertionError):
    """What a cache did that it must not, or did not and should."""


@dataclass
class Asked:
    """A request as the client made it."""

    method: str
    url: str
    fields: Fields


@dataclass
class Reply:
    """A response; `body` is what it has on the wire. With status 0 none came, or none was given."""

    status: int
    fields: Fields
    body: bytes


@dataclass
class Sent:
    """A request that reached the origin, and what came of it."""

    fields: Fields
    reply: Reply
    request_time: int
    response_time: int


@dataclass
class Done:
    """What the cache did with a request."""

    asked: Asked
    at: int
    """When the request came (Unix seconds)."""
    sent: list[Sent]
    answer: Reply
    answered_at: int
    stored: set[str] = field(default_factory=set)
    """The serials of what is in the store afterwards."""
    refreshed: list[Sent] = field(default_factory=list)
    """What was sent for no client, once this one was answered."""


class Reference:
    """What a cache may have stored, from all that it was seen to receive."""

    def __init__(self, *, shared: bool) -> None:
        self.shared = shared
        self.records: dict[str, Record] = {}

    def check(self, done: Done) -> None:
        """Judge what was done with one request, and learn from it."""
        asked = done.asked
        if not done.sent:
            self._check_unasked(done)
        else:
            self._check_sending(done)
            if self._stands_in(done):
                self._check_instead(done)
            elif not done.sent[-1].reply.status:
                self._check_failure(done)
            else:
                self._check_last(done)
        for sent in done.refreshed:
            self._refreshed(done, sent)
        if asked.method not in rfc.SAFE and done.sent:
            self._invalidate(asked, done.sent[-1].reply)
        self._check_store(done)

    # What is answered from the store alone.

    def _check_unasked(self, done: Done) -> None:
        asked, answer = done.asked, done.answer
        if answer.status == 504 and rfc.first(answer.fields, "X-Serial") is None:
            if not rfc.has(asked.fields, "only-if-cached"):
                raise Violation("504 where nobody said only-if-cached (§5.2.1.7)")
            if asked.method in ("GET", "HEAD") and (needless := self._surely_usable(asked, done.at)):
                raise Violation(f"504, but {needless.serial} is stored and fresh (§5.2.1.7)")
            return
        if asked.method not in ("GET", "HEAD"):
            raise Violation(f"{asked.method} was not forwarded (§4)")
        record, versions = self._named(done)
        if record.invalid:
            raise Violation(f"{record.serial} was invalidated and never validated since (§4.4)")
        _one_of(versions, lambda version: self._check_use(done, record, version))

    def _check_use(self, done: Done, record: Record, version: Version) -> None:
        if why := self._why_not(version, done.asked, done.at):
            raise Violation(f"{record.serial} was used without asking: {why}")
        self._check_most_recent(record, version, done.asked, done.at)
        self._check_answer(done, record, version)

    def _named(self, done: Done) -> tuple[Record, list[Version]]:
        """The stored response that an answer is made of, and what it may be by now."""
        asked, answer = done.asked, done.answer
        serial = rfc.first(answer.fields, "X-Serial")
        record = self.records.get(serial or "")
        if record is None:
            raise Violation(f"{serial} was answered, which no cache may have stored (§3)")
        if record.url != asked.url:
            raise Violation(f"{serial} is of another URL, {record.url} (§4)")
        mark = rfc.first(answer.fields, "X-Mark")
        versions = [version for version in record.versions if version.mark == mark]
        if not versions:
            raise Violation(f"{serial} is {mark}, it should be one of {[v.mark for v in record.versions]} (§3.2)")
        return record, versions

    def _why_not(self, version: Version, asked: Asked, now: int) -> str:
        """Why a stored response must not be used without asking; empty if it may be."""
        if not version.matches(asked.fields)[1]:
            return "it is another variant (§4.1)"
        if version.must_ask():
            return "it says no-cache (§5.2.2.4)"
        if _says_no_cache(asked):
            return "the request says no-cache (§5.2.1.4)"
        age, (_, lifetime) = version.age(now), version.lifetime(shared=self.shared)
        accepts_stale = rfc.has(asked.fields, "max-stale")
        # RFC 8246 §2.1: what is immutable need not be asked about while it is fresh, unless no-cache wants it.
        lenient = accepts_stale or rfc.has(version.fields, "immutable")
        if (oldest := rfc.seconds(asked.fields, "max-age")) and age > max(oldest) and not lenient:
            return f"it is {age} seconds old and the request says max-age={oldest} (§5.2.1.1)"
        if (left := rfc.seconds(asked.fields, "min-fresh")) and lifetime - age < min(left) and not accepts_stale:
            return f"it is fresh for {lifetime - age} seconds and the request says min-fresh={left} (§5.2.1.3)"
        if age < lifetime:
            return ""
        if version.never_stale(shared=self.shared):
            return f"it is stale, {age} of {lifetime} seconds, and forbids that (§4.2.4)"
        if age - lifetime <= self._stale_accepted(version, asked):
            return ""
        return f"it is stale, {age} of {lifetime} seconds, and nothing permits that (§4.2.4)"

    def _stale_accepted(self, version: Version, asked: Asked) -> int:
        """For how long after its lifetime the response may be used; negative for not at all."""
        if not rfc.has(asked.fields, "max-stale"):
            # RFC 5861 §3.
            return max(rfc.seconds(version.fields, "stale-while-revalidate"), default=0) - 1
        return (
            rfc.FOREVER if rfc.unqualified(asked.fields, "max-stale") else max(rfc.seconds(asked.fields, "max-stale"))
        )

    def _check_most_recent(self, used: Record, version: Version, asked: Asked, now: int) -> None:
        for record in self._usable(asked, now):
            if record is not used and all(other.generated() > version.generated() for other in record.versions):
                raise Violation(f"{used.serial} was used, and {record.serial} is more recent (§4)")

    def _check_answer(self, done: Done, record: Record, version: Version) -> None:
        """The answer that is made of a stored response: status, fields, body."""
        answer, asked = done.answer, done.asked
        age = version.age(done.answered_at)
        if rfc.lines(answer.fields, "Age") != [str(age)]:
            raise Violation(f"Age is {rfc.lines(answer.fields, 'Age')}, it should be {age} (§4.2.3, §5.1)")
        if answer.status not in (allowed := self._statuses(record, version, asked)):
            raise Violation(f"status {answer.status}, it should be one of {allowed} (§4.3.2)")
        if answer.body != (wanted := _body(record, asked, answer)):
            raise Violation(f"the body is {answer.body!r}, it should be {wanted!r}")
        for name in ("ETag", "Last-Modified", "Expires", "Cache-Control", "Vary", "Content-Location"):
            if rfc.lines(answer.fields, name) != rfc.lines(version.fields, name):
                raise Violation(f"{name} is {rfc.lines(answer.fields, name)}, not what is stored (§3.1, §3.2)")
        if not rfc.lines(answer.fields, "Date"):
            raise Violation("no Date (RFC 9110 §6.6.1)")
        secret = [*rfc.listed(version.fields, "no-cache"), *(rfc.listed(version.fields, "private") * self.shared)]
        if "x-secret" in secret and rfc.lines(answer.fields, "X-Secret"):
            raise Violation("X-Secret came from the store (§5.2.2.4, §5.2.2.7)")

    def _statuses(self, record: Record, version: Version, asked: Asked) -> tuple[int, ...]:
        if version.status != 200:
            # The section is about 200; RFC 9110 §13.2.1 lets other 2xx be conditional too.
            conditional = any(rfc.lines(asked.fields, name) for name in ("If-None-Match", "If-Modified-Since"))
            return (version.status, 304) if conditional and version.status < 300 else (version.status,)
        if tags := rfc.members(asked.fields, "If-None-Match"):
            etag = (rfc.first(version.fields, "ETag") or "none").removeprefix("W/")
            if "*" in tags or etag in [tag.removeprefix("W/") for tag in tags]:
                return (304,)
        elif (since := rfc.date(rfc.first(asked.fields, "If-Modified-Since"))) is not None:
            modified = rfc.date(rfc.first(version.fields, "Last-Modified"))
            if (version.generated() if modified is None else modified) <= since:
                return (304,)
        if asked.method != "GET" or not rfc.lines(asked.fields, "Range"):
            return (200,)
        condition = rfc.first(asked.fields, "If-Range")
        if condition is None or condition == version.strong_etag():
            return (200, 206)
        modified = rfc.date(rfc.first(version.fields, "Last-Modified"))
        return (200, 206) if rfc.date(condition) == modified is not None else (200,)

    # What is asked of the origin.

    def _check_sending(self, done: Done) -> None:
        asked = done.asked
        if asked.method in ("GET", "HEAD"):
            if needless := self._surely_usable(asked, done.at):
                raise Violation(f"the origin was asked, but {needless.serial} is stored and fresh (§4)")
            if rfc.has(asked.fields, "only-if-cached"):
                raise Violation("the origin was asked, the request says only-if-cached (§5.2.1.7)")
        elif len(done.sent) > 1:
            raise Violation(f"{asked.method} was sent {len(done.sent)} times")
        if len(done.sent) > 2:
            raise Violation(f"the origin was asked {len(done.sent)} times")
        for sent in done.sent:
            self._check_request(asked, sent)
        if len(done.sent) == 2 and (done.sent[0].reply.status != 304 or _own_conditions(asked, done.sent[1])):
            raise Violation("the origin was asked again without need")
        self._check_validators(asked, done.sent[0])

    def _check_request(self, asked: Asked, sent: Sent) -> None:
        """What is sent is what the client said, but for the validators."""
        changed = {"if-none-match", "if-modified-since"}
        told = [item for item in sent.fields if item[0].lower() not in changed]
        if told != [item for item in asked.fields if item[0].lower() not in changed]:
            raise Violation(f"the origin was sent {sent.fields}")
        if not _own_conditions(asked, sent):
            return
        if asked.method not in ("GET", "HEAD"):
            raise Violation(f"{asked.method} was made conditional")
        # Other variants may be asked about too: the answer says which of them it is (§4.3.1).
        about = [record for record in self.records.values() if record.url == asked.url]
        etags = {rfc.first(version.fields, "ETag") for record in about for version in record.versions}
        etags |= set(rfc.members(asked.fields, "If-None-Match"))
        if strange := set(rfc.members(sent.fields, "If-None-Match")) - etags:
            raise Violation(f"the origin was asked about {strange}, which are of no stored response (§4.3.1)")
        dates = {
            value
            for record in about
            for version in record.versions
            for value in rfc.lines(version.fields, "Last-Modified")
        }
        dates |= {rfc.date_text(version.generated()) for record in about for version in record.versions}
        dates |= set(rfc.lines(asked.fields, "If-Modified-Since"))
        if strange := set(rfc.lines(sent.fields, "If-Modified-Since")) - dates:
            raise Violation(f"the origin was asked about {strange}, which are of no stored response (§4.3.1)")

    def _check_validators(self, asked: Asked, sent: Sent) -> None:
        """A plain request that a stored response with a validator cannot answer makes it be validated."""
        special = ("If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "Range", "Authorization")
        if asked.method != "GET" or any(rfc.lines(asked.fields, name) for name in special):
            return
        told = {*rfc.members(sent.fields, "If-None-Match"), *rfc.lines(sent.fields, "If-Modified-Since")}
        missed = []
        for record in self._initial_set(asked):
            etags = {rfc.first(version.fields, "ETag") for version in record.versions}
            if told & (etags | {rfc.first(version.fields, "Last-Modified") for version in record.versions}):
                return
            if record.expected and not record.invalid and record.surely_matches(asked.fields):
                missed += [record.serial] * (None not in etags)
        if missed:
            raise Violation(f"{missed} were not validated: sent {sent.fields} (§4.3.1)")

    # What is answered instead of an error, or of nothing.

    def _stands_in(self, done: Done) -> bool:
        """A stored response is answered, although the origin said something else, or nothing."""
        last = done.sent[-1].reply
        own = rfc.first(done.answer.fields, "X-Serial")
        return own is not None and last.status in (0, *rfc.ERRORS) and own != rfc.first(last.fields, "X-Serial")

    def _check_instead(self, done: Done) -> None:
        record, versions = self._named(done)
        if record.invalid:
            raise Violation(f"{record.serial} was invalidated and never validated since (§4.4)")
        _one_of(versions, lambda version: self._check_spare(done, record, version))
        if done.sent[-1].reply.status:
            self._received(done.asked, done.sent[-1])

    def _check_spare(self, done: Done, record: Record, version: Version) -> None:
        if why := self._why_no_spare(version, done.asked, done.answered_at, done.sent[-1].reply.status):
            raise Violation(f"{record.serial} was used instead: {why}")
        self._check_answer(done, record, version)

    def _why_no_spare(self, version: Version, asked: Asked, now: int, status: int) -> str:
        """Why a stored response must not stand in for an error, or for no answer (status 0); empty if it may."""
        if not version.matches(asked.fields)[1]:
            return "it is another variant (§4.1)"
        if version.must_ask() or _says_no_cache(asked):
            return "no-cache (§5.2.1.4, §5.2.2.4)"
        staleness = version.age(now) - version.lifetime(shared=self.shared)[1]
        if staleness < 0:
            return ""
        if version.never_stale(shared=self.shared):
            return "it is stale and forbids that (§4.2.4)"
        allowed = [*rfc.seconds(asked.fields, "stale-if-error"), *rfc.seconds(version.fields, "stale-if-error")]
        if staleness < max(allowed, default=0):
            return ""
        if status:
            return f"it is stale for {staleness} seconds, and nothing permits that for an error (RFC 5861 §4)"
        return "" if staleness < DISCONNECTED_S else f"it is stale for {staleness} seconds"

    def _check_failure(self, done: Done) -> None:
        """No answer came, and an error was told: nothing that is stored would have done."""
        if done.answer.status:
            raise Violation(f"{done.answer.status} was answered, and the origin said nothing")
        special = ("If-Match", "If-Unmodified-Since", "Range")
        asked = done.asked
        if asked.method not in ("GET", "HEAD") or any(rfc.lines(asked.fields, name) for name in special):
            return
        if rfc.lines(asked.fields, "Cache-Control"):
            return
        for record in self.records.values():
            there = record.url == asked.url and record.expected and not record.invalid
            reasons = [self._why_no_spare(version, asked, done.answered_at, 0) for version in record.versions]
            if there and record.surely_matches(asked.fields) and not any(reasons):
                raise Violation(f"{record.serial} would have been better than an error (§4.2.4)")

    # What is validated for nobody.

    def _refreshed(self, done: Done, sent: Sent) -> None:
        """What was learned after the client had been answered with something stale (RFC 5861 §3)."""
        asked = done.asked
        if asked.method not in ("GET", "HEAD"):
            raise Violation(f"{asked.method} was repeated in the background")
        asked = Asked("GET", asked.url, asked.fields)
        reply = sent.reply
        if reply.status == 304:
            times = (sent.request_time, sent.response_time)
            for record in self._validatable(asked, sent):
                record.expected = False
                if self._identified(record, sent):
                    fresh = [new for old in record.versions for new in old.after(reply.fields, asked.fields, times)]
                    record.versions += fresh
                    record.invalid |= self._not_for_the_store(asked, fresh[-1].fields) in ("no-store", "private")
        elif reply.status:
            self._received(asked, sent)

    # What is made of the origin's answer.

    def _check_last(self, done: Done) -> None:
        asked, last = done.asked, done.sent[-1]
        for sent in done.sent[:-1]:
            self._note_mismatch(asked, sent)
        if last.reply.status == 304 and (_own_conditions(asked, last) or rfc.lines(done.answer.fields, "X-Serial")):
            self._validated(done, last)
            return
        answer, reply = done.answer, last.reply
        for what in ("X-Serial", "X-Mark", "Cache-Control", "ETag", "Vary", "X-Secret", "Age", "Expires"):
            if rfc.lines(answer.fields, what) != rfc.lines(reply.fields, what):
                raise Violation(f"the origin's {what} {rfc.lines(reply.fields, what)} was not passed on")
        if (answer.status, answer.body) != (reply.status, reply.body):
            raise Violation(
                f"{answer.status} {answer.body!r} was answered for the origin's {reply.status} {reply.body!r}"
            )
        self._received(asked, last)

    def _validated(self, done: Done, sent: Sent) -> None:
        """§4.3.4: the stored responses that the 304 is about have its fields now; the answer is one of them."""
        asked, news = done.asked, sent.reply.fields
        about = [record for record in self._validatable(asked, sent) if self._identified(record, sent)]
        named = self.records.get(rfc.first(done.answer.fields, "X-Serial") or "")
        if named is None or named not in about:
            raise Violation(
                f"the 304 is about {[r.serial for r in about]}, the answer is {named and named.serial} (§4.3.4)"
            )
        for record in self._initial_set(asked):
            # What the 304 is not about has been superseded.
            record.expected = record.expected and (record is named or self._surely_identified(record, sent))
        for record in about:
            times = (sent.request_time, sent.response_time)
            fresh = [version for old in record.versions for version in old.after(news, asked.fields, times)]
            if record is named:
                if rfc.first(done.answer.fields, "X-Mark") != fresh[-1].mark:
                    raise Violation("the answer has not the fields of the 304 (§3.2)")
                fresh = _one_of(fresh, lambda version, record=record: self._check_answer(done, record, version))
            if keep_out := self._not_for_the_store(asked, fresh[-1].fields):
                self._unshared(record, keep_out)
            elif record is named or self._surely_identified(record, sent):
                record.versions, record.invalid = fresh, False
            else:
                record.versions += fresh

    def _not_for_the_store(self, asked: Asked, news: Fields) -> str:
        """Why nothing of a 304 may be kept, or nothing that it validates be used for others; `news` is what it makes of it."""
        if rfc.has(asked.fields, "no-store"):
            return "no-store of the request"
        if self.shared and rfc.lines(asked.fields, "Authorization") and not rfc.authorized_may_be_shared(news):
            return "Authorization"
        if rfc.has(news, "no-store") and not rfc.has(news, "must-understand"):
            return "no-store"
        if self.shared and rfc.unqualified(news, "private"):
            return "private"
        return ""

    def _unshared(self, record: Record, why: str) -> None:
        """The 304 was not to be kept: the response is as it was, or, where it is no longer for others, of no use."""
        record.expected = False
        if why in ("no-store", "private"):
            record.invalid = True

    def _validatable(self, asked: Asked, sent: Sent) -> list[Record]:
        """What a 304 may be about: what the request selects, and other variants whose tags were sent (§4.3.1)."""
        tags = set(rfc.members(sent.fields, "If-None-Match"))
        found = self._initial_set(asked)
        for record in self.records.values():
            if record.url == asked.url and record not in found:
                found += [record] * bool(tags & {rfc.first(version.fields, "ETag") for version in record.versions})
        return found

    def _identified(self, record: Record, sent: Sent) -> bool:
        """§4.3.4: whether a 304 may be about a stored response."""
        etag, modified = rfc.first(sent.reply.fields, "ETag"), rfc.first(sent.reply.fields, "Last-Modified")
        for version in record.versions:
            own_etag, own_modified = rfc.first(version.fields, "ETag"), rfc.first(version.fields, "Last-Modified")
            told = [*rfc.members(sent.fields, "If-None-Match"), *rfc.lines(sent.fields, "If-Modified-Since")]
            if etag is None and (own_etag in told or (modified is None and own_modified in told)):
                # The origin forgets to say; then it is about what it was asked.
                return True
            if etag is not None and own_etag is not None and etag.removeprefix("W/") == own_etag.removeprefix("W/"):
                # Strictly, a strong validator is not a weak one. But servers weaken the tag of what they compress, and
                # not that of the 304 about it.
                return True
            if modified is not None and own_modified == modified:
                return True
            if own_etag is None and (etag or "").startswith("W/") and modified is None:
                # Nothing is identified by a weak tag that it gets only now; but nothing speaks against it.
                return own_modified in rfc.lines(sent.fields, "If-Modified-Since")
        return False

    def _surely_identified(self, record: Record, sent: Sent) -> bool:
        """It has the strong validator that the 304 has: then it must be updated too."""
        etag = rfc.first(sent.reply.fields, "ETag")
        return etag is not None and not etag.startswith("W/") and [v.strong_etag() for v in record.versions] == [etag]

    def _note_mismatch(self, asked: Asked, sent: Sent) -> None:
        """A 304 that the cache could not use. What it was asked about may have been dropped."""
        for record in self._initial_set(asked):
            record.expected = False

    def _received(self, asked: Asked, sent: Sent) -> None:
        """A response that is not the cache's own 304: it may have been stored."""
        reply = sent.reply
        if asked.method == "HEAD":
            self._heard_of(asked, sent)
            return
        if reply.status == 304:
            return
        why = rfc.may_store(asked.method, asked.fields, reply.status, reply.fields, shared=self.shared, url=asked.url)
        serial, mark = rfc.first(reply.fields, "X-Serial"), rfc.first(reply.fields, "X-Mark")
        version = Version(reply.status, reply.fields, sent.request_time, sent.response_time, mark or "", asked.fields)
        if asked.method == "GET" and (not why or reply.status < 300):
            for record in self._initial_set(asked):
                record.expected = False
        if why:
            return
        plain = asked.method == "GET" and reply.status < 299 and "*" not in rfc.members(reply.fields, "Vary")
        useful = version.lifetime(shared=self.shared)[0] > 0 or version.validators()
        told = not rfc.has(reply.fields, "must-understand")
        self.records[serial or ""] = Record(
            serial or "", asked.url, asked.method, reply.body, [version], plain and useful and told
        )

    def _heard_of(self, asked: Asked, sent: Sent) -> None:
        """§4.3.5: what HEAD tells may update what is stored, or make it stale."""
        for record in self._initial_set(asked):
            record.expected = False
            if sent.reply.status == 200:
                times = (sent.request_time, sent.response_time)
                record.versions += [
                    new for old in record.versions for new in old.after(sent.reply.fields, asked.fields, times)
                ]

    def _invalidate(self, asked: Asked, reply: Reply) -> None:
        """§4.4."""
        if not 200 <= reply.status < 400:
            return
        gone = {asked.url}
        for name in ("Location", "Content-Location"):
            if (told := rfc.first(reply.fields, name)) is not None:
                other = urljoin(asked.url, told)
                if urlsplit(other)[:2] == urlsplit(asked.url)[:2]:
                    gone.add(other)
        for record in self.records.values():
            if record.url in gone and record.serial != rfc.first(reply.fields, "X-Serial"):
                record.invalid = True
                record.expected = False

    # What is stored.

    def _initial_set(self, asked: Asked) -> list[Record]:
        """The responses that may be stored and may be meant by the request."""
        return [r for r in self.records.values() if r.url == asked.url and r.may_match(asked.fields)]

    def _usable(self, asked: Asked, now: int) -> list[Record]:
        """The responses that are surely stored and surely usable without asking."""
        return [record for record in self.records.values() if self._is_usable(record, asked, now)]

    def _is_usable(self, record: Record, asked: Asked, now: int) -> bool:
        if record.url != asked.url or not record.expected or record.invalid or not record.surely_matches(asked.fields):
            return False
        if _says_no_cache(asked) or any(version.must_ask() for version in record.versions):
            return False
        return all(self._is_surely_fresh(version, asked, now) for version in record.versions)

    def _is_surely_fresh(self, version: Version, asked: Asked, now: int) -> bool:
        age, (lifetime, _) = version.age(now), version.lifetime(shared=self.shared)
        oldest, left = rfc.seconds(asked.fields, "max-age"), rfc.seconds(asked.fields, "min-fresh")
        return age < lifetime and all(age < value for value in oldest) and all(lifetime - age > value for value in left)

    def _surely_usable(self, asked: Asked, now: int) -> Record | None:
        if any(rfc.lines(asked.fields, name) for name in ("If-Match", "If-Unmodified-Since")):
            return None
        return next(iter(self._usable(asked, now)), None)

    def _check_store(self, done: Done) -> None:
        if strange := done.stored - set(self.records):
            raise Violation(f"{strange} are stored, and must not be (§3)")
        wanted = {r.serial for r in self.records.values() if r.expected and not r.invalid}
        if missing := wanted - done.stored:
            raise Violation(f"{missing} should be stored")


def _one_of(versions: list[Version], check: Callable[[Version], None]) -> list[Version]:
    """Those that pass the check; raises what the last one raises if none does."""
    passed = []
    for version in versions:
        try:
            check(version)
        except Violation as violation:
            last = violation
        else:
            passed.append(version)
    if not passed:
        raise last
    return passed


def _says_no_cache(asked: Asked) -> bool:
    if rfc.lines(asked.fields, "Cache-Control"):
        return rfc.has(asked.fields, "no-cache")
    return (rfc.first(asked.fields, "Pragma") or "").lower() == "no-cache"


def _own_conditions(asked: Asked, sent: Sent) -> bool:
    """Whether the cache put validators of its own into the request."""
    names = ("If-None-Match", "If-Modified-Since")
    return any(rfc.lines(sent.fields, name) != rfc.lines(asked.fields, name) for name in names)


def _body(record: Record, asked: Asked, answer: Reply) -> bytes:
    if asked.method == "HEAD" or answer.status == 304:
        return b""
    if answer.status != 206:
        return record.body
    begin, _, end = (rfc.first(asked.fields, "Range") or "").removeprefix("bytes=").partition("-")
    start, stop = (
        (int(begin), int(end) + 1 if end else len(record.body))
        if begin
        else (len(record.body) - int(end), len(record.body))
    )
    told = f"bytes {start}-{stop - 1}/{len(record.body)}"
    if rfc.lines(answer.fields, "Content-Range") != [told]:
        raise Violation(f"Content-Range is {rfc.lines(answer.fields, 'Content-Range')}, it should be {told}")
    return record.body[start:stop]

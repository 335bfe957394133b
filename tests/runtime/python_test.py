"""The Python package against the fixture's requests: python_test.py MODEL REQUESTS. The package is on PYTHONPATH."""

import sys

import numpy as np

import seminar

model = seminar.Model(sys.argv[1])
numbers = iter(open(sys.argv[2]).read().split())


def take(count, kind=int):
    return [kind(next(numbers)) for _ in range(count)]


def pairs(count):
    flat = take(2 * count)
    return list(zip(flat[::2], flat[1::2]))


def refused(call, kind=seminar.Error):
    try:
        call()
    except kind as error:
        assert len(str(error)) > 5, error
        return
    raise AssertionError("not refused")


requests, worst = 0, 0.0
for codes in numbers:
    k, behaviours = take(2)
    history = pairs(behaviours)
    (n,) = take(1)
    candidates, expected, retrieved = pairs(n), take(n, float), take(n * k)
    user = model.user(k=k, codes=codes != "0")
    user.append(history)
    assert len(user) == min(len(history), model.info.history)
    scores, found, attention = user.explain(candidates)
    worst = max(worst, float(np.abs(scores - np.array(expected, np.float32)).max()))
    assert found.ravel().tolist() == retrieved
    assert np.allclose(attention.sum(2), 1, atol=1e-4)
    out = np.empty(n, np.float32)
    assert user.rank(candidates, out=out) is out and (out == scores).all()
    by_name = [(model.name(item), query) for item, query in candidates]
    assert (user.rank(by_name) == scores).all()
    requests += 1
assert requests > 0 and worst <= 1e-5, (requests, worst)

# Ids and numbers are apart, and arrays of whole numbers are items.
user = model.user()
user.append([model.name(3), model.name(9)])
array = np.array([5, 6, 7], np.int64)
read_only = array[::-1]
read_only.flags.writeable = False
assert (user.rank(read_only)[::-1] == user.rank([model.name(int(i)) for i in array])).all()
assert len(model.channel_names()) == model.info.channels

# The best of the catalogue are those of ranking all of it.
everything = np.arange(1, model.info.items + 1)
scores = user.rank(everything)
seen = {3, 9}
order = [i for i in (np.argsort(-scores, kind="stable") + 1).tolist() if i not in seen]
ids, best = user.top(10)
assert ids == [model.name(i) for i in order[:10]], (ids, order[:10])
assert (best == scores[np.array(order[:10]) - 1]).all()
assert len(user.top(model.info.items, with_seen=True)[0]) == model.info.items
assert user.top(10, allow=[model.name(4), 3])[0] == [model.name(4)]
assert model.name(order[0]) not in user.top(5, deny=[order[0]])[0]

for wrong in (
    lambda: seminar.Model("no such file"),
    lambda: model.item("no such item"),
    lambda: model.user(k=0),
    lambda: model.user(weights=[1.0]),
    lambda: user.append([0]),
    lambda: user.rank([2**40]),
    lambda: user.rank(np.array([2**40])),
    lambda: user.top(0),
    lambda: user.top(model.info.items + 1),
    lambda: user.top(3, deny=[model.info.items + 1]),
):
    refused(wrong)
for wrong in (
    lambda: user.rank(np.array([1.0])),
    lambda: user.rank(np.array([[1]])),
    lambda: user.rank([1.7]),
    lambda: user.rank("318"),
    lambda: user.rank([True]),
    lambda: user.rank([1], out=np.empty(1)),
    lambda: user.rank([1, 2], out=np.empty(4, np.float32)[::2]),
    lambda: user.rank([1], out=np.frombuffer(b"1234", np.float32)),
    lambda: user.top(1.5),
):
    refused(wrong, TypeError)

model.close()  # its users go on
assert (user.rank([5]) == scores[4]).all()
user.close()
print(f"{requests} requests, largest difference of a score {worst:.1e}")

"""The helper that tells linear work from quadratic, without a clock's limit."""

import re

import pytest

from linear import grows_linearly


@pytest.mark.parametrize(("pattern", "linear"), [("a+", True), ("a*b", False)])
def test_it_tells_linear_from_quadratic(pattern, linear):
    found = re.compile(pattern)
    assert grows_linearly(lambda text: found.findall(text), "a", 20_000) is linear

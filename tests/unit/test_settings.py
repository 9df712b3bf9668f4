from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from open_orders.errors import SettingsError
from open_orders.settings import PARAMETERS, PREFIX, Settings, load_settings, read_parameters

ROOT = Path(__file__).parents[2]
# Where the quickstart keeps its state; nothing of the product reads it.
OF_THE_SANDBOX = {"OPEN_ORDERS_SANDBOX_DIR"}


@pytest.fixture(autouse=True)
def _fresh_settings() -> None:
    load_settings.cache_clear()


def test_defaults_point_at_the_shipped_query() -> None:
    settings = load_settings()
    assert settings.batch_size == 10000
    assert settings.max_drop_share == 0.5
    assert settings.allow_empty is False
    assert settings.source_sql.is_file()


def test_environment_overrides_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPEN_ORDERS_BATCH_SIZE", "1000")
    monkeypatch.setenv("OPEN_ORDERS_SOURCE_SQL", "/etc/orders.sql")
    monkeypatch.setenv("OPEN_ORDERS_ALLOW_EMPTY", "")
    settings = load_settings()
    assert settings.batch_size == 1000
    assert settings.source_sql == Path("/etc/orders.sql")
    assert settings.allow_empty is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", "many"),
        ("batch_size", "0"),
        ("allow_empty", "perhaps"),
        ("max_drop_share", "50"),
        ("max_drop_share", "nan"),
        ("source_lock_timeout_s", "-1"),
        ("clock_tolerance_s", "0"),
        ("heartbeat_s", "0"),
        ("dead_after_s", "5"),
        ("alert_after_failures", "0"),
        ("alert_after_s", "10"),
    ],
)
def test_bad_value_names_the_variable_and_the_value(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    with pytest.raises(SettingsError, match=f"OPEN_ORDERS_{name.upper()}='{value}': .+"):
        load_settings()


def test_every_bad_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPEN_ORDERS_BATCH_SIZE", "x")
    monkeypatch.setenv("OPEN_ORDERS_DEAD_AFTER_S", "y")
    with pytest.raises(SettingsError, match=r"OPEN_ORDERS_BATCH_SIZE='x'.*OPEN_ORDERS_DEAD_AFTER_S='y'"):
        load_settings()


def describe_range(field: FieldInfo) -> str:
    """Return what a setting may be, in the words of .env.example and docs/settings.md."""
    bounds = {name: getattr(bound, name) for bound in field.metadata for name in ("ge", "le") if hasattr(bound, name)}
    if bounds:
        return " to ".join(str(bounds[name]) for name in ("ge", "le") if name in bounds)
    return {bool: "true or false", Path: "a path"}.get(field.annotation, "a text")  # type: ignore[call-overload]


def describe_default(field: FieldInfo) -> str:
    if isinstance(field.default, Path):
        return f"`{field.default.relative_to(ROOT)}`"
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described_where_settings_are_listed(name: str) -> None:
    field = Settings.model_fields[name]
    variable = f"{PREFIX}{name.upper()}"
    assert field.description
    row = f"| `{variable}` | {field.description} | {describe_default(field)} | {describe_range(field)} |"
    assert row in (ROOT / "docs" / "settings.md").read_text().splitlines()
    default = describe_default(field).strip("`")
    default = f"/opt/airflow/{default}" if field.annotation is Path else default
    explained = f"# {field.description} ({describe_range(field)})\n# {variable}={default}\n"
    assert explained in (ROOT / ".env.example").read_text()
    assert f"    {variable}: ${{{variable}:-}}\n" in (ROOT / "docker-compose.yaml").read_text()


def test_no_document_names_a_setting_that_there_is_not() -> None:
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("tests_manual/*.md")]
    for document in [*documents, ROOT / ".env.example", ROOT / "docker-compose.yaml"]:
        named = set(re.findall(rf"\b{PREFIX}[A-Z][A-Z_]*[A-Z]\b", document.read_text()))
        assert named - settings - OF_THE_SANDBOX == set(), document


def test_parameters_of_a_run_replace_the_settings_and_nothing_else_does() -> None:
    usual = Settings(batch_size=7, allow_empty=True, heartbeat_s=3)
    run = read_parameters({"max_drop_share": 1, "batch_size": 1000.0, "heartbeat_s": 9, "unknown": 1}, usual)
    assert run == Settings(batch_size=1000, allow_empty=True, max_drop_share=1.0, heartbeat_s=3)
    assert type(run.batch_size) is int
    assert read_parameters({"allow_empty": "false"}, usual).allow_empty is False
    assert set(PARAMETERS) < set(Settings.model_fields)

from __future__ import annotations

from pathlib import Path

import pytest

from open_orders.errors import SettingsError
from open_orders.settings import PARAMETERS, PREFIX, Settings, load_settings, read_parameters


@pytest.fixture(autouse=True)
def _fresh_settings() -> None:
    load_settings.cache_clear()


def test_defaults_point_at_the_shipped_query() -> None:
    settings = load_settings()
    assert settings.batch_size == 2500
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


def test_every_setting_is_described_in_the_readme() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for name, field in Settings.model_fields.items():
        assert f"`{PREFIX}{name.upper()}`" in readme
        assert field.description


def test_parameters_of_a_run_replace_the_settings_and_nothing_else_does() -> None:
    usual = Settings(batch_size=7, allow_empty=True, heartbeat_s=3)
    run = read_parameters({"max_drop_share": 1, "batch_size": 1000.0, "heartbeat_s": 9, "unknown": 1}, usual)
    assert run == Settings(batch_size=1000, allow_empty=True, max_drop_share=1.0, heartbeat_s=3)
    assert type(run.batch_size) is int
    assert read_parameters({"allow_empty": "false"}, usual).allow_empty is False
    assert set(PARAMETERS) < set(Settings.model_fields)

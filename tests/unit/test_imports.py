"""Who may import whom, as the architecture says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "plugins" / "open_orders"
PIPELINE = {"sync", "source", "target", "guards", "suspicions", "job_log_hook", "job_log_store", "metrics", "retention"}
WEB_FRAMEWORKS = {"fastapi", "flask", "flask_appbuilder", "starlette"}


def imports(file: Path) -> set[str]:
    """Return the dotted names that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def reaches(file: Path, *modules: str) -> set[str]:
    return {name for name in imports(file) for module in modules if name == module or name.startswith(f"{module}.")}


PRODUCT = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "dags").glob("*.py")])


@pytest.mark.parametrize("file", PRODUCT, ids=lambda file: str(file.relative_to(ROOT)))
def test_product_knows_neither_sandbox_nor_tests_nor_dags(file: Path) -> None:
    assert reaches(file, "sandbox", "tests", "bench", "dags") == set()


@pytest.mark.parametrize("name", sorted(PIPELINE))
def test_pipeline_knows_no_web(name: str) -> None:
    assert reaches(PACKAGE / f"{name}.py", "open_orders.web", *WEB_FRAMEWORKS) == set()


def test_web_does_not_run_the_pipeline() -> None:
    for file in (PACKAGE / "web").rglob("*.py"):
        assert reaches(file, *(f"open_orders.{name}" for name in PIPELINE)) == set()


def test_contract_depends_on_nothing_of_ours() -> None:
    assert reaches(PACKAGE / "contract.py", "open_orders") == set()


@pytest.mark.parametrize("file", sorted((ROOT / "dags").glob("*.py")), ids=lambda file: file.name)
def test_dag_file_imports_nothing_heavy_when_parsed(file: Path) -> None:
    allowed = ("__future__", "datetime", "typing", "airflow.sdk", "open_orders.contract", "open_orders.sync_dag")
    top = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = [node.module for node in top if isinstance(node, ast.ImportFrom)]
    assert len(modules) == len(top)
    assert [module for module in modules if module not in allowed] == []


def test_pipeline_modules_do_not_import_private_airflow() -> None:
    for file in PRODUCT:
        assert [name for name in imports(file) if name.startswith("airflow.") and "._" in name] == [], file.name

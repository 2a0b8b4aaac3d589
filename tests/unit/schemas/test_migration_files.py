import re
from pathlib import Path

import pytest

from schemas.migrations import FOLDER, migrations, statements

HARMLESS = re.compile(
    r"CREATE (OR REPLACE |(TABLE|VIEW|MATERIALIZED VIEW|DICTIONARY) IF NOT EXISTS )|ALTER .* IF (NOT )?EXISTS"
    r"|ALTER TABLE quarantine UPDATE payload_sha256"  # a hash that is removed twice is removed
    r"|ALTER TABLE quarantine MATERIALIZE COLUMN"
    r"|DROP (VIEW|TABLE) IF EXISTS |EXCHANGE TABLES (?P<table>\w+) AND (?P=table)_swap$"  # filled before it
    # Rows that merge: written twice they change nothing.
    r"|INSERT INTO (ledger_marks|day_activity|closing_bounds|report_states(_swap)?|report_handling(_swap)?)\b"
)


def test_numbers_count_up_from_one() -> None:
    files = migrations()
    assert [migration.number for migration in files] == list(range(1, len(files) + 1))
    assert files[0].name == "events"


def test_every_statement_may_run_twice() -> None:
    for migration in migrations():
        for statement in statements(migration.sql):
            bare = " ".join(line for line in statement.splitlines() if not line.lstrip().startswith("--"))
            assert HARMLESS.match(bare.strip()), f"{migration.name}: {bare[:80]}"


def test_splitting_survives_what_sql_may_hold() -> None:
    script = """
        -- it's a comment; with an apostrophe and a semicolon
        CREATE TABLE a (x String COMMENT 'one; two -- three', y String COMMENT 'it''s; \\' escaped;') ENGINE = Memory;
        /* a block; isn't a statement */
        CREATE VIEW b AS SELECT CASE WHEN 1 THEN ';' END AS c, if(x = 1, 2, 3) FROM `a;b`;;
        SELECT 1
        -- the end; isn't near
    """
    first, second, third = statements(script)
    assert first.endswith("ENGINE = Memory")
    assert second.endswith("FROM `a;b`")
    assert third.startswith("SELECT 1")


def test_comments_alone_are_no_statement() -> None:
    assert statements("-- nothing; here\n/* nor; here */ ;\n") == []


def test_checksum_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_bytes(b"SELECT 1")
    # printf 'SELECT 1' | sha256sum
    known = "e004ebd5b5532a4b85984a62f8ad48a81aa3460c1ca07701f386135d72cdecf5"
    assert [migration.checksum for migration in migrations(tmp_path)] == [known]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["0001_a", "0003_c"], "migration number 0002 is missing"),
        (["0002_b"], "migration number 0001 is missing"),
        (["0001_a", "0001_b"], "migration number 0001 is used twice"),
        (["1_a"], "named like"),
        (["0001-a"], "named like"),
    ],
)
def test_wrong_names_are_a_clear_error(tmp_path: Path, names: list[str], complaint: str) -> None:
    for name in names:
        (tmp_path / f"{name}.sql").write_text("SELECT 1")
    with pytest.raises(ValueError, match=complaint):
        migrations(tmp_path)


def test_the_folder_holds_nothing_else() -> None:
    assert {path.suffix for path in FOLDER.iterdir() if path.is_file()} == {".py", ".sql"}

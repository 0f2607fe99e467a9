"""Random queries over small tables whose columns share names, answered by Waterbuck and DuckDB.

The tables are tiny and full of NULLs and repeated values, so that a join, a filter or an
aggregate that takes one side's column for the other's gives a visibly different answer.

    python tests/python/differential.py --queries 300
    python tests/python/differential.py --seed 4711 --queries 1 --verbose

Every query has its own seed, printed with each difference: the second form repeats one query.
The exit code is 1 when an answer differs or an error is not one of `EXPECTED_ERRORS`.
"""

import argparse
import collections
import csv
import io
import pathlib
import random
import subprocess
import sys
import tempfile

import duckdb

# Answers Waterbuck may refuse, in its own words; everything else must be answered.
EXPECTED_ERRORS = ("subquery",)

COLUMNS = (("id", "int"), ("k", "int"), ("b", "bool"), ("s", "text"))
TABLES = ("l", "r", "m")
SQL_TYPES = {"int": "INT", "bool": "BOOLEAN", "text": "VARCHAR"}
TEXTS = ("", "a", "b", "A", "ab", "ü")


class Rng(random.Random):
    """Random choices by weight."""

    def chance(self, probability):
        return self.random() < probability

    def pick(self, *weighted):
        values, weights = zip(*weighted)
        return self.choices(values, weights)[0]


def setup_statements(rng):
    """The statements that create and fill the tables; the same text runs on both engines."""
    for table in TABLES:
        columns = ", ".join(f"{name} {SQL_TYPES[kind]}" for name, kind in COLUMNS)
        rows = [
            "(" + ", ".join(literal(rng, kind, nulls=0.25) for _, kind in COLUMNS) + ")"
            for _ in range(rng.randint(4, 12))
        ]
        yield f"CREATE TABLE {table} ({columns})"
        yield f"INSERT INTO {table} VALUES {', '.join(rows)}"


def literal(rng, kind, nulls=0.0):
    if rng.chance(nulls):
        return "NULL"
    if kind == "int":
        return str(rng.randint(0, 5))
    if kind == "bool":
        return rng.choice(("true", "false"))
    return "'" + rng.choice(TEXTS) + "'"


class Generator:
    """Writes one query. A scope is a list of (expression text, type)."""

    def __init__(self, rng):
        self.rng = rng
        self.aliases = 0

    def query(self):
        form = self.rng.pick(("plain", 10), ("set", 2), ("cte", 2))
        if form == "set":
            kinds = self.kinds()
            word = self.rng.choice(("UNION", "UNION ALL", "INTERSECT", "EXCEPT"))
            return f"{self.select(2, kinds)[0]} {word} {self.select(2, kinds)[0]}"
        if form == "cte":
            inner, columns = self.select(2)
            left, right = self.alias(), self.alias()
            scope = [(f"{a}.{n}", kind) for a in (left, right) for n, kind in columns]
            join = self.rng.choice(("JOIN", "LEFT JOIN", "FULL JOIN"))
            names = [n for n, kind in columns]
            condition = f"{left}.{self.rng.choice(names)} = {right}.{names[0]}"
            if dict(columns)[condition.split(" = ")[0].split(".")[1]] != columns[0][1]:
                condition = f"{left}.{names[0]} = {right}.{names[0]}"
            source = f"c AS {left} {join} c AS {right} ON {condition}"
            return f"WITH c AS ({inner}) {self.select_over(source, scope, 1)[0]}"
        return self.select(3)[0]

    def kinds(self):
        return [self.rng.choice(("int", "bool", "text")) for _ in range(self.rng.randint(1, 3))]

    def alias(self):
        self.aliases += 1
        return f"t{self.aliases}"

    # Sources -------------------------------------------------------------------------------

    def source(self, depth):
        text, scope = self.item(depth)
        for _ in range(self.rng.pick((0, 2), (1, 6), (2, 4), (3, 1))):
            text, scope = self.join(text, scope, depth)
        return text, scope

    def item(self, depth):
        alias = self.alias()
        form = self.rng.pick(("table", 8), ("select", 3 if depth > 0 else 0), ("union", 1))
        if form == "table":
            return f"{self.rng.choice(TABLES)} AS {alias}", [(f"{alias}.{n}", k) for n, k in COLUMNS]
        if form == "select":
            inner, columns = self.select(depth - 1)
        else:
            kinds = self.kinds()
            inner, columns = self.select(0, kinds)
            inner = f"{inner} UNION ALL {self.select(0, kinds)[0]}"
        return f"({inner}) AS {alias}", [(f"{alias}.{n}", k) for n, k in columns]

    def join(self, left, left_scope, depth):
        right, right_scope = self.item(depth)
        kind = self.rng.pick(
            ("JOIN", 5), ("LEFT JOIN", 4), ("RIGHT JOIN", 4), ("FULL JOIN", 3),
            ("CROSS JOIN", 1), ("SEMI JOIN", 2), ("ANTI JOIN", 2),
        )
        both = left_scope + right_scope
        if kind == "CROSS JOIN":
            return f"{left} CROSS JOIN {right}", both
        conditions = [self.equality(left_scope, right_scope)]
        if self.rng.chance(0.2):
            conditions.append(self.equality(left_scope, right_scope))
        if self.rng.chance(0.3):
            conditions.append(self.predicate(both, 1))
        text = f"{left} {kind} {right} ON {' AND '.join(conditions)}"
        return text, left_scope if kind in ("SEMI JOIN", "ANTI JOIN") else both

    def equality(self, left, right):
        pairs = [(a, b) for a, k in left for b, j in right if k == j]
        if not pairs:
            return self.predicate(left + right, 1)
        named = [(a, b) for a, b in pairs if a.split(".")[-1] == b.split(".")[-1]]
        a, b = self.rng.choice(named if named and self.rng.chance(0.6) else pairs)
        return f"{a} {self.rng.pick(('=', 9), ('IS NOT DISTINCT FROM', 1))} {b}"

    # Expressions ---------------------------------------------------------------------------

    def of_kind(self, scope, kind, depth=1):
        """An expression of `kind`, most often a plain column."""
        columns = [e for e, k in scope if k == kind]
        if columns and self.rng.chance(0.75 if depth else 1.0):
            return self.rng.choice(columns)
        if not depth or not scope:
            return literal(self.rng, kind, nulls=0.1 if kind != "text" else 0.0)
        form = self.rng.pick(("case", 2), ("coalesce", 2), ("own", 3), ("literal", 1))
        if form == "case":
            a, b = (self.of_kind(scope, kind, 0) for _ in range(2))
            return f"(CASE WHEN {self.predicate(scope, 0)} THEN {a} ELSE {b} END)"
        if form == "coalesce":
            return f"coalesce({self.of_kind(scope, kind, 0)}, {literal(self.rng, kind)})"
        if form == "own" and kind == "bool":
            return f"({self.predicate(scope, 0)})"
        if form == "own" and kind == "int":
            a, b = (self.of_kind(scope, "int", 0) for _ in range(2))
            return f"({a} {self.rng.choice('+-*')} {b})"
        if form == "own":
            return f"upper({self.of_kind(scope, 'text', 0)})"
        return literal(self.rng, kind)

    def predicate(self, scope, depth):
        if depth and self.rng.chance(0.3):
            word = self.rng.choice((" AND ", " OR "))
            return "(" + word.join(self.predicate(scope, depth - 1) for _ in range(2)) + ")"
        if depth and self.rng.chance(0.1):
            return f"(NOT {self.predicate(scope, depth - 1)})"
        kind = self.rng.choice([k for _, k in scope] or ["int"])
        a, b = self.of_kind(scope, kind, depth), self.of_kind(scope, kind, depth)
        form = self.rng.pick(("compare", 5), ("distinct", 4), ("null", 2), ("list", 1), ("truth", 2),
                             ("fixed", 2))
        if form == "fixed":
            return f"{self.of_kind(scope, kind, 0)} = {literal(self.rng, kind)}"
        if form == "compare":
            return f"{a} {self.rng.choice(('=', '<>', '<', '<=', '>', '>='))} {b}"
        if form == "distinct":
            return f"{a} IS {self.rng.choice(('', 'NOT '))}DISTINCT FROM {b}"
        if form == "null":
            return f"{a} IS {self.rng.choice(('', 'NOT '))}NULL"
        if form == "list":
            values = ", ".join(literal(self.rng, kind, nulls=0.1) for _ in range(3))
            return f"{a} {self.rng.choice(('', 'NOT '))}IN ({values})"
        truth = self.of_kind(scope, "bool", depth)
        return f"({truth}) IS {self.rng.choice(('', 'NOT '))}{self.rng.choice(('TRUE', 'FALSE'))}"

    def subquery_condition(self, scope):
        """A subquery predicate as a condition of its own or inside a larger one."""
        test = self.subquery_predicate(scope)
        other = self.predicate(scope, 0)
        return self.rng.pick(
            (test, 6), (f"({test} OR {other})", 1), (f"NOT ({test} AND {other})", 1),
            (f"({test}) IS NOT TRUE", 1), (f"({test}) IS NULL", 1))

    def subquery_predicate(self, scope):
        """IN, EXISTS and comparisons with scalar subqueries, correlated or not."""
        table, alias = self.rng.choice(TABLES), self.alias()
        inner = [(f"{alias}.{n}", k) for n, k in COLUMNS]
        conditions = [self.predicate(inner, 1)] if self.rng.chance(0.5) else []
        shared = [k for _, k in COLUMNS if k in [k for _, k in scope]]
        form = self.rng.pick(("in", 4), ("exists", 3), ("scalar", 2), ("any", 1))
        if shared and self.rng.chance(0.6):
            kind = self.rng.choice(shared)
            mine = self.rng.choice([e for e, k in inner if k == kind])
            sign = "=" if form == "scalar" else self.rng.pick(("=", 5), ("<", 1), ("<>", 1))
            conditions.append(f"{mine} {sign} {self.rng.choice([e for e, k in scope if k == kind])}")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        source = f"FROM {table} AS {alias}{where}"
        no = self.rng.choice(("", "NOT "))
        if form == "exists":
            what = self.rng.pick(("1", 4), ("count(*)", 1), (f"max({alias}.k)", 1))
            return f"{no}EXISTS (SELECT {what} {source})"
        if form == "scalar":
            value = self.rng.choice((f"max({alias}.k)", f"min({alias}.id)", "count(*)"))
            return f"{self.of_kind(scope, 'int')} {self.rng.choice('<>=')} (SELECT {value} {source})"
        kind = self.rng.choice([k for _, k in scope])
        tested, element = self.of_kind(scope, kind), self.of_kind(inner, kind)
        if self.rng.chance(0.2):
            element = f"{self.rng.choice(('min', 'max'))}({element})"
        if form == "any":
            sign = self.rng.choice(("=", "<>", "<"))
            return f"{tested} {sign} {self.rng.choice(('ANY', 'ALL'))} (SELECT {element} {source})"
        return f"{tested} {no}IN (SELECT {element} {source})"

    # SELECT --------------------------------------------------------------------------------

    def select(self, depth, kinds=None):
        """The text of a SELECT and its columns; `kinds` fixes the types of the columns."""
        source, scope = self.source(depth)
        return self.select_over(source, scope, depth, kinds)

    def select_over(self, source, scope, depth, kinds=None):
        conditions = [self.predicate(scope, 2) for _ in range(self.rng.pick((0, 3), (1, 5), (2, 2)))]
        if self.rng.chance(0.3):
            conditions.append(self.subquery_condition(scope))
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        wanted = kinds or [self.rng.choice(scope)[1] for _ in range(self.rng.randint(1, 4))]
        form = self.rng.pick(("rows", 6), ("distinct", 1), ("groups", 4), ("windows", 1))
        if form == "groups":
            return self.groups(source + where, scope, wanted)
        expressions = [
            literal(self.rng, kind) if self.rng.chance(0.1) else self.of_kind(scope, kind)
            for kind in wanted]
        if self.rng.chance(0.1) and form == "rows":
            expressions = [
                f"({self.subquery_predicate(scope)})" if kind == "bool" else e
                for e, kind in zip(expressions, wanted)]
        if form == "windows":
            expressions = [self.window(scope) if k == "int" else e for e, k in zip(expressions, wanted)]
        columns = self.names(wanted)
        items = ", ".join(f"{e} AS {n}" for e, (n, _) in zip(expressions, columns))
        distinct = "DISTINCT " if form == "distinct" else ""
        text = f"SELECT {distinct}{items} FROM {source}{where}"
        return self.limited(text, columns) if kinds is None else text, columns

    def groups(self, source, scope, wanted):
        keys = [self.of_kind(scope, self.rng.choice(scope)[1], 0) for _ in range(self.rng.randint(0, 3))]
        keys = [k for k in dict.fromkeys(keys) if "." in k]
        kinds = dict(scope)
        outputs = []
        for kind in wanted:
            usable = [k for k in keys if kinds[k] == kind]
            if usable and self.rng.chance(0.6):
                outputs.append(self.rng.choice(usable))
            else:
                outputs.append(self.aggregate(scope, kind))
        columns = self.names(wanted)
        text = f"SELECT {', '.join(f'{e} AS {n}' for e, (n, _) in zip(outputs, columns))} FROM {source}"
        if keys:
            text += f" GROUP BY {', '.join(keys)}"
        if self.rng.chance(0.3):
            text += f" HAVING {self.aggregate(scope, 'int')} {self.rng.choice('<>')} {self.rng.randint(0, 6)}"
        return text, columns

    def aggregate(self, scope, kind):
        argument = self.of_kind(scope, kind)
        if kind != "int":
            return f"{self.rng.choice(('min', 'max'))}({argument})"
        of_any = self.of_kind(scope, self.rng.choice(scope)[1])
        return self.rng.choice((
            "count(*)", f"count({of_any})", f"count(DISTINCT {of_any})", f"sum({argument})",
            f"min({argument})", f"max({argument})",
            f"sum(CASE WHEN {self.predicate(scope, 0)} THEN 1 ELSE 0 END)",
        ))

    def window(self, scope):
        function = self.rng.choice(
            ("rank()", "dense_rank()", "count(*)", f"sum({self.of_kind(scope, 'int', 0)})",
             f"max({self.of_kind(scope, 'int', 0)})"))
        parts = ", ".join(self.rng.choice(scope)[0] for _ in range(self.rng.randint(1, 3)))
        order = self.rng.choice(scope)[0]
        return f"{function} OVER (PARTITION BY {parts} ORDER BY {order} ASC NULLS LAST)"

    def names(self, kinds):
        """Names that collide with the columns of other sources, unlike each other in one list."""
        names = ["id", "k", "b", "s", "x"]
        self.rng.shuffle(names)
        return list(zip(names, kinds))

    def limited(self, text, columns):
        if not self.rng.chance(0.2):
            return text
        # Ordered by every column, so that the rows under the limit are the same everywhere.
        order = ", ".join(
            f"{i + 1} {self.rng.choice(('ASC', 'DESC'))} NULLS {self.rng.choice(('FIRST', 'LAST'))}"
            for i in range(len(columns)))
        return f"{text} ORDER BY {order} LIMIT {self.rng.randint(1, 6)}"


# Engines -----------------------------------------------------------------------------------


def cell(value):
    if value is None or value == "":
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


class DuckDb:
    def __init__(self):
        self.connection = duckdb.connect()

    def run_plainly(self, statement):
        """The answer without DuckDB's optimizer, which has faults of its own."""
        self.connection.execute("PRAGMA disable_optimizer")
        answer = self.run(statement)
        self.connection.execute("PRAGMA enable_optimizer")
        return answer

    def run(self, statement):
        try:
            rows = self.connection.execute(statement).fetchall()
        except duckdb.Error as error:
            return None, str(error)
        return collections.Counter(tuple(cell(v) for v in row) for row in rows), None


class Waterbuck:
    """The command line, one process per statement, over one data directory or one server."""

    def __init__(self, command, url):
        self.directory = tempfile.TemporaryDirectory()
        target = [url] if url else ["--data-dir", self.directory.name]
        self.command = [command, "sql", *target, "--format", "csv", "-e"]

    def run(self, statement):
        text = statement.replace("SEMI JOIN", "LEFT SEMI JOIN").replace("ANTI JOIN", "LEFT ANTI JOIN")
        done = subprocess.run([*self.command, text], capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            return None, done.stderr.strip()
        # A row of one NULL is an empty line.
        rows = [row or [""] for row in csv.reader(io.StringIO(done.stdout))][1:]
        return collections.Counter(tuple(row) for row in rows), None


def compare(waterbuck, duck, query):
    """`None` when the answers agree, else what is wrong; `skipped` when DuckDB refuses."""
    expected, refused = duck.run(query)
    if refused:
        return "skipped"
    actual, error = waterbuck.run(query)
    if error:
        return None if any(e in error.lower() for e in EXPECTED_ERRORS) else f"error: {error}"
    if actual == expected or actual == duck.run_plainly(query)[0]:
        return None
    missing, extra = list((expected - actual).elements()), list((actual - expected).elements())
    return f"rows missing: {missing[:5]}, rows too many: {extra[:5]}"


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seed", type=int, default=None, help="seed of the first query")
    arguments.add_argument("--queries", type=int, default=200)
    arguments.add_argument("--data-seed", type=int, default=1, help="seed of the tables' rows")
    arguments.add_argument("--waterbuck", default=str(root / "target/debug/waterbuck"))
    arguments.add_argument("--url", help="a running server instead of the embedded engine")
    arguments.add_argument("--verbose", action="store_true", help="print every query")
    options = arguments.parse_args()

    waterbuck, duck = Waterbuck(options.waterbuck, options.url), DuckDb()
    for statement in setup_statements(Rng(options.data_seed)):
        for engine in (duck, waterbuck):
            _, error = engine.run(statement)
            if error:
                sys.exit(f"set-up failed: {statement}\n{error}")

    first = options.seed if options.seed is not None else random.SystemRandom().randrange(10**9)
    print(f"seed {first}, {options.queries} queries, data seed {options.data_seed}")
    faults = skipped = 0
    for seed in range(first, first + options.queries):
        query = Generator(Rng(seed)).query()
        if options.verbose:
            print(f"-- seed {seed}\n{query};")
        fault = compare(waterbuck, duck, query)
        if fault == "skipped":
            skipped += 1
        elif fault:
            faults += 1
            print(f"-- seed {seed}, data seed {options.data_seed}: {fault}\n{query};\n")
    print(f"{options.queries - skipped} compared, {skipped} refused by DuckDB, {faults} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()

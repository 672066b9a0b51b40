//! PostgreSQL's fragments.

use super::Fragments;

pub(super) static FRAGMENTS: Fragments = Fragments {
    first: "CREATE TABLE base (a varchar(99))",
    statements: &[
        "SELECT ~@~ || ~@",
        "SELECT ~@ AS a$b$c, 5 - -3, 2 + 3",
        "SELECT (ARRAY[1,2])~[1], CASE ~WHEN true THEN @ ELSE @ END AS \"end\"",
        "CREATE TABLE~t# (a text DEFAULT %,~\"b;\"\"'\" text)",
        "INSERT INTO base~VALUES~(@), (%)",
        "DO ~$do$ BEGIN PERFORM 1; /* ' */ END; $do$",
        "CREATE ~FUNCTION f#() RETURNS text LANGUAGE sql AS~$f$ SELECT 'a;'; $f$",
        "CREATE OR~ REPLACE FUNCTION f#(a int) RETURNS text ~BEGIN ATOMIC SELECT @;~ SELECT CASE WHEN a=1 THEN @ \
         ELSE CASE a WHEN 2 THEN % END END;~ END",
        "CREATE PROCEDURE p#()~BEGIN~ ATOMIC ;~ ;~ END",
        "CREATE RULE r# AS ON UPDATE TO base~DO ALSO (INSERT INTO base VALUES (%);~DELETE FROM base)",
        "COMMENT ON ~SCHEMA public IS 'x;'",
    ],
    expressions: &[
        "'?''?\"\\'",
        "E'?\\'?''\\\\'",
        "U&'?\"'",
        "$$a';\"é \n$$",
        "$t_1$a';$$ $t$;?$t_1$",
        "(SELECT 'x' AS \"x?\"\"'?\")",
        "upper('?')",
    ],
    strings: &["'?''?\"\\'", "E'?\\'?''\\\\'", "$q$?'\"$q$"],
    gaps: &[
        " ",
        "\n",
        "\r\n\t",
        "-- it's; \"x\" $$ /*\n",
        "/* ; ' /* nested; */ $a$ */",
        " /**/ ",
        "--\n",
        "/* é */",
    ],
    delimiters: &[],
};

//! SQLite's fragments.

use super::Fragments;

pub(super) static FRAGMENTS: Fragments = Fragments {
    first: "CREATE TABLE base (a TEXT)",
    statements: &[
        "SELECT ~@~, ~@",
        "SELECT @ AS a$b, 5 - -3, end~FROM (SELECT 1 AS end)",
        "CREATE TABLE~t# (a TEXT~DEFAULT %, [b;'] INT, \"c;\"\"\" INT)",
        "CREATE TABLE IF NOT EXISTS t# AS SELECT~@ AS a",
        "INSERT INTO base~VALUES~(@), (%)",
        "CREATE ~TEMP VIEW v# AS SELECT ~@ AS a",
        "CREATE TRIGGER g# AFTER INSERT~ON base BEGIN~SELECT @;~SELECT CASE WHEN 1 THEN CASE 2 WHEN 3 THEN @ END \
         END;~END",
        "CREATE TEMP TRIGGER g#~BEFORE DELETE ON base~WHEN 1 BEGIN INSERT INTO base SELECT a FROM base;~END",
    ],
    expressions: &[
        "'?''?\"\\'",
        "(SELECT 1 AS \"?\"\"'?\")",
        "(SELECT 1 AS `x?``'?`)",
        "(SELECT 1 AS [a;$`é ('\"])",
        "x'3b'",
        "CASE WHEN 1 THEN ';' END",
    ],
    strings: &["'?''?\"\\'", "'?'"],
    gaps: &[
        " ",
        "\n",
        "\r\n\t",
        "-- it's; \"x\" [ /*\n",
        "/* ; ' ` -- [ */",
        " /**/ ",
        "--\n",
        "/* /* é */",
    ],
    delimiters: &[],
};

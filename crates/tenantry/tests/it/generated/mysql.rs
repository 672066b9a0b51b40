//! The fragments of MySQL and MariaDB.

use super::Fragments;

pub(super) static FRAGMENTS: Fragments = Fragments {
    first: "CREATE TABLE base (a VARCHAR(99))",
    statements: &[
        "SELECT ~@~, ~@",
        "SELECT @ AS~a$b, 1/*!50000 + 2 */~, /*! 3 */",
        "CREATE TABLE ~t# (a VARCHAR(9)~DEFAULT 'a;\\'', `b;``'\"` INT, event INT, `end` INT)",
        "INSERT INTO base~VALUES~(%), (%)",
        "/*!50003 CREATE*/~/*!50003 PROCEDURE p#() SELECT ';' */",
        "CREATE PROCEDURE~p#()~SELECT 1",
        "CREATE TRIGGER g#~BEFORE INSERT ON base FOR EACH ROW SET NEW.a = IF(NEW.a = '', REPEAT(';', 2), NEW.a)",
        "CREATE TRIGGER g# AFTER UPDATE ON base FOR EACH~ROW IF NEW.a = %~THEN DO 1; END IF",
        "CREATE FUNCTION f#(a INT) RETURNS INT DETERMINISTIC~RETURN IF(a, 1, 2)",
        "CREATE FUNCTION f#(a INT) RETURNS INT~DETERMINISTIC BEGIN~DECLARE b INT; IF a THEN~SET b = IF(a,1,2); \
         ELSEIF (b) THEN SET b = 2; END IF;~RETURN b; END",
        "CREATE PROCEDURE~p#(INOUT a INT) BEGIN~l: LOOP LEAVE l; END LOOP l; WHILE a < 0 DO SET a = a + 1;~\
         END WHILE; REPEAT SET a = CASE a WHEN 1 THEN 2 ELSE 3 END; UNTIL a END REPEAT;~\
         CASE WHEN a THEN SELECT 1; ELSE BEGIN END; END CASE; END",
        "CREATE PROCEDURE p#() BEGIN DECLARE EXIT HANDLER FOR NOT FOUND BEGIN~END; SELECT @; END",
    ],
    expressions: &[
        "'?''?\\'\"\\\\'",
        "\"?\"\"?\\\"'\"",
        "(SELECT 'x' AS `x?``';`)",
        "_utf8mb4'é;'",
        "5--3",
        "/*!50000 'a;' , */ IF(1,REPEAT(';',2),'b')",
        "CASE WHEN 1 THEN IF(1,';',2) ELSE IF(0,3,4) END",
    ],
    strings: &["'?''?\\'\"\\\\'", "\"?\"\"?\\\"'\""],
    gaps: &[
        " ",
        "\n",
        "\r\n\t",
        "-- it's; \"x\" `\n",
        "# it's; /*\n",
        "/* ; ' ` -- */",
        " /**/ ",
        "--\n",
        "/* é \n */",
    ],
    delimiters: &["$$", "//", ";;", "|"],
};

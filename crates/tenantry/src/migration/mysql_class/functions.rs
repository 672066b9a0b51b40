//! Which functions are the server's own: any other may write rows.

use crate::migration::cursor::Cursor;
use crate::migration::split::{Kind, Token};

/// Functions that every MySQL from 5.7 and every MariaDB from 10.3 has ("Built-In Function and Operator Reference",
/// "Function and Operator Reference"). A stored function may have the name of any other: what only one of them has,
/// or only a newer one, is left out.
const SERVERS_OWN: &str = "\
    ABS ACOS ADDTIME AES_DECRYPT AES_ENCRYPT ASCII ASIN ATAN ATAN2 AVG BENCHMARK BIN BIT_COUNT BIT_LENGTH CEIL \
    CEILING CHAR CHARACTER_LENGTH CHARSET CHAR_LENGTH COALESCE COERCIBILITY COLLATION COMPRESS CONCAT CONCAT_WS \
    CONNECTION_ID CONV CONVERT CONVERT_TZ COS COT CRC32 CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER \
    DATABASE DATE DATEDIFF DATE_FORMAT DAY DAYNAME DAYOFMONTH DAYOFWEEK DAYOFYEAR DEFAULT DEGREES ELT EXP \
    EXPORT_SET EXTRACTVALUE FIELD FIND_IN_SET FLOOR FORMAT FOUND_ROWS FROM_BASE64 FROM_DAYS FROM_UNIXTIME \
    GET_FORMAT GET_LOCK GREATEST HEX HOUR IF IFNULL INET6_ATON INET6_NTOA INET_ATON INET_NTOA \
    INSERT INSTR INTERVAL ISNULL IS_FREE_LOCK IS_IPV4 IS_IPV4_COMPAT IS_IPV4_MAPPED IS_IPV6 IS_USED_LOCK \
    JSON_ARRAY JSON_ARRAY_APPEND JSON_ARRAY_INSERT JSON_CONTAINS JSON_CONTAINS_PATH JSON_DEPTH JSON_EXTRACT \
    JSON_INSERT JSON_KEYS JSON_LENGTH JSON_OBJECT JSON_QUOTE JSON_REMOVE JSON_REPLACE JSON_SEARCH JSON_SET \
    JSON_TYPE JSON_UNQUOTE JSON_VALID LAST_DAY LAST_INSERT_ID LCASE LEAST LEFT LENGTH LN LOAD_FILE \
    LOCALTIME LOCALTIMESTAMP LOCATE LOG LOG10 LOG2 LOWER LPAD LTRIM MAKEDATE MAKETIME MAKE_SET MBRCONTAINS \
    MBRDISJOINT MBRINTERSECTS MBROVERLAPS MBRTOUCHES MBRWITHIN MD5 MICROSECOND MINUTE MOD MONTH MONTHNAME \
    NAME_CONST NULLIF OCT OCTET_LENGTH ORD PERIOD_ADD PERIOD_DIFF PI \
    POW POWER QUARTER QUOTE RADIANS RAND RELEASE_LOCK REPEAT REPLACE REVERSE RIGHT ROUND ROW ROW_COUNT \
    RPAD RTRIM SCHEMA SECOND SEC_TO_TIME SHA SHA1 SHA2 SIGN SIN SLEEP SOUNDEX SPACE SQRT STRCMP STR_TO_DATE \
    ST_AREA ST_ASBINARY ST_ASGEOJSON ST_ASTEXT ST_ASWKB ST_ASWKT ST_BUFFER ST_CENTROID ST_CONTAINS ST_CONVEXHULL \
    ST_CROSSES ST_DIFFERENCE ST_DIMENSION ST_DISJOINT ST_DISTANCE ST_ENDPOINT ST_ENVELOPE ST_EQUALS \
    ST_EXTERIORRING ST_GEOMCOLLFROMTEXT ST_GEOMCOLLFROMWKB ST_GEOMETRYCOLLECTIONFROMTEXT \
    ST_GEOMETRYCOLLECTIONFROMWKB ST_GEOMETRYFROMTEXT ST_GEOMETRYFROMWKB ST_GEOMETRYN ST_GEOMETRYTYPE \
    ST_GEOMFROMGEOJSON ST_GEOMFROMTEXT ST_GEOMFROMWKB ST_INTERIORRINGN ST_INTERSECTION ST_INTERSECTS ST_ISCLOSED \
    ST_ISEMPTY ST_ISSIMPLE ST_LENGTH ST_LINEFROMTEXT ST_LINEFROMWKB ST_LINESTRINGFROMTEXT ST_LINESTRINGFROMWKB \
    ST_NUMGEOMETRIES ST_NUMINTERIORRINGS ST_NUMPOINTS ST_OVERLAPS ST_POINTFROMTEXT ST_POINTFROMWKB ST_POINTN \
    ST_POLYFROMTEXT ST_POLYFROMWKB ST_POLYGONFROMTEXT ST_POLYGONFROMWKB ST_SRID ST_STARTPOINT ST_SYMDIFFERENCE \
    ST_TOUCHES ST_UNION ST_WITHIN ST_X ST_Y SUBSTRING_INDEX SUBTIME TAN TIME TIMEDIFF TIMESTAMP TIMESTAMPADD \
    TIMESTAMPDIFF TIME_FORMAT TIME_TO_SEC TO_BASE64 TO_DAYS TO_SECONDS TRUNCATE UCASE UNCOMPRESS \
    UNCOMPRESSED_LENGTH UNHEX UNIX_TIMESTAMP UPDATEXML UPPER USER UTC_DATE UTC_TIME UTC_TIMESTAMP UUID UUID_SHORT \
    VALUES VERSION WEEK WEEKDAY WEEKOFYEAR WEIGHT_STRING YEAR YEARWEEK";

/// Such functions whose name must touch its parenthesis: else a stored one of that name is called ("Function Name
/// Parsing and Resolution").
const GLUED: &str = "\
    ADDDATE BIT_AND BIT_OR BIT_XOR CAST COUNT CURDATE CURTIME DATE_ADD DATE_SUB EXTRACT GROUP_CONCAT MAX MID MIN \
    NOW POSITION SESSION_USER STD STDDEV STDDEV_POP STDDEV_SAMP SUBDATE SUBSTR SUBSTRING SUM SYSDATE SYSTEM_USER \
    TRIM VARIANCE VAR_POP VAR_SAMP";

/// Words that may stand before a parenthesis without calling anything, on each of these servers.
const WORDS: &str = "\
    ALL AND ANY AS BETWEEN BINARY BY CASE CHARACTER DATETIME DECIMAL DISTINCT DIV DOUBLE ELSE EXISTS FLOAT \
    FOR FORCE FROM GROUP HAVING IGNORE IN INDEX INTO IS JOIN KEY LIKE LIMIT MATCH NCHAR NOT ON OR PARTITION REGEXP \
    RLIKE SELECT SET SIGNED SOME STRAIGHT_JOIN THEN UNION UNSIGNED USE USING VARBINARY VARCHAR WHEN WHERE WITH XOR";

/// Returns whether what a cursor stands before calls a function that is not known to be the server's own: a stored
/// one, a loaded one, or one that not every server has.
pub(super) fn calls_own(mut cursor: Cursor<'_>) -> bool {
    let mut before = None;
    while let Some(token) = cursor.bump() {
        let text = cursor.text();
        let behind = |symbol| before.is_some_and(|before: Token| before.is_symbol(text, symbol));
        let open = cursor.peek().filter(|next| next.is_symbol(text, b'('));
        // Behind `)`, as in `SUM(n) OVER (…)`, nothing is called; behind `.` stands the name of a database's own.
        if let Some(open) = open
            && !behind(b')')
            && is_name(token)
            && (behind(b'.') || !is_known(token, open, text))
            && !names_a_query(cursor.clone())
        {
            return true;
        }
        before = Some(token);
    }
    false
}

/// Returns whether what stands in parentheses here are the columns of a query with a name: `WITH a (n) AS (…)`.
fn names_a_query(mut cursor: Cursor<'_>) -> bool {
    if !cursor.eat_symbol(b'(') {
        return false;
    }
    while cursor.name().is_some() && cursor.eat_symbol(b',') {}
    cursor.eat_symbol(b')') && cursor.eat("AS") && cursor.eat_symbol(b'(')
}

/// A name may begin with a digit: `2fa()`.
fn is_name(token: Token) -> bool {
    match token.kind {
        Kind::Word | Kind::Name | Kind::Number => true,
        Kind::Text
        | Kind::LineComment
        | Kind::CodeOpen
        | Kind::CodeClose
        | Kind::Delimiter
        | Kind::Symbol => false,
    }
}

/// What is in quotes is never the server's.
fn is_known(name: Token, open: Token, text: &str) -> bool {
    let among = |list: &str| list.split_ascii_whitespace().any(|known| name.is(text, known));
    among(WORDS) || among(SERVERS_OWN) || (name.end == open.start && among(GLUED))
}

#[cfg(test)]
mod tests {
    use super::calls_own;
    use crate::engine::Engine;
    use crate::migration::cursor::Cursor;

    #[test]
    fn a_function_that_is_not_the_servers_is_found() {
        for (statement, expect) in [
            ("SET @a = fw()", true),
            ("SET @a = (1), @b = fw (2)", true),
            ("SELECT n + db.concat(1) INTO @a", true),
            ("SELECT `concat`(1) INTO @a", true),
            ("SET @a = /*!100100 fw() */ 1", true),
            ("SET @a = SETVAL(s, 5)", true),
            ("SET @a = st_new_invoice()", true),
            ("SET @a = any_value(1)", true),
            ("SET @a = uuid_to_bin('x')", true),
            ("SET @a = regexp_like('x', 'x')", true),
            ("SET @a = is_uuid('x')", true),
            ("SET @a = NVL(1, 2)", true),
            ("SET @a = nextval('invoices')", true),
            ("SET @a = now ()", true),
            ("SET @a = 2fa()", true),
            ("SET @a = json_mine('{}')", true),
            ("SET @a = last_insert_id()", false),
            (
                "SET @a = IF (1, ST_Distance(@p, @q), JSON_EXTRACT(@j, '$.a'))",
                false,
            ),
            (
                "SELECT SUM(n) OVER (ORDER BY m) INTO @a FROM a WHERE MATCH (m) AGAINST ('x')",
                false,
            ),
            (
                "SET @a = (SELECT COUNT(*) FROM a WHERE n IN (1, 2) AND (m = 'fw()'))",
                false,
            ),
            (
                "SELECT CAST(n AS DECIMAL(10, 2)), Now(6), ST_X(p) INTO @a, @b, @c FROM a",
                false,
            ),
            (
                "WITH RECURSIVE fw (i, j) AS (SELECT 1, 2) SELECT i INTO @a FROM fw",
                false,
            ),
            ("WITH a (i) AS (SELECT fw(1)) SELECT i INTO @a FROM a", true),
            ("SET @a = 1 -- fw()", false),
        ] {
            let cursor = Cursor::new(statement, Engine::MySql);
            assert_eq!(calls_own(cursor), expect, "{statement}");
        }
    }
}

//! Keywords and functions as drivers list them, each list with blanks between its words.

/// Keywords beyond those of SQL:2003.
pub(super) const KEYWORDS: &str = "\
    ANALYZE ANTI ASOF AVRO COMPRESSION COMPUTE COPY CSV DATABASES DELIMITER DESCRIBE \
    EXCLUDE EXECUTORS EXPLAIN EXTERNAL FILES FORMATTED IF ILIKE JSON KILL LIMIT LOCATION \
    OFFSET OPTIONS OVERWRITE PARQUET PARTITIONED PARTITIONS QUALIFY QUERIES RENAME \
    REPLACE RESET SCHEMAS SEMI SHOW STATISTICS STATS STORED TABLES TRUNCATE UNNEST USE \
    VERBOSE VIEW";

/// Functions of numbers.
pub(super) const NUMERIC_FUNCTIONS: &str = "\
    abs acos acosh asin asinh atan atan2 atanh cbrt ceil cos cosh cot degrees exp \
    factorial floor gcd isnan iszero lcm ln log log10 log2 nanvl pi power radians random \
    round signum sin sinh sqrt tan tanh trunc";

/// Functions of text.
pub(super) const STRING_FUNCTIONS: &str = "\
    ascii bit_length btrim character_length chr concat concat_ws contains decode encode \
    ends_with find_in_set initcap left levenshtein lower lpad ltrim md5 octet_length \
    overlay regexp_count regexp_instr regexp_like regexp_match regexp_replace repeat \
    replace reverse right rpad rtrim sha224 sha256 sha384 sha512 split_part starts_with \
    strpos substr substr_index to_hex translate upper uuid";

/// Functions of values of any type and of the server.
pub(super) const SYSTEM_FUNCTIONS: &str = "\
    arrow_cast arrow_typeof coalesce get_field greatest least named_struct nullif nvl \
    nvl2 struct version";

/// Functions of dates and times.
pub(super) const DATETIME_FUNCTIONS: &str = "\
    current_date current_time current_timestamp date_bin date_part date_trunc extract \
    from_unixtime make_date make_time now to_char to_date to_local_time to_time \
    to_timestamp to_timestamp_micros to_timestamp_millis to_timestamp_nanos \
    to_timestamp_seconds to_unixtime";

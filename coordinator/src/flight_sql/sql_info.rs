//! What GetSqlInfo tells of this server: every id of the format, because drivers fail on a gap.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::error::FlightError;
use arrow_flight::sql::SqlInfo::*;
use arrow_flight::sql::metadata::{SqlInfoData, SqlInfoDataBuilder};
use arrow_flight::sql::{
    SqlNullOrdering, SqlSupportedCaseSensitivity, SqlSupportedTransaction, SqlSupportsConvert,
};
use waterbuck_engine::{Error, Result};

use super::words;

/// What the server can do.
pub(super) struct ServerInfo {
    data: SqlInfoData,
}

impl ServerInfo {
    pub(super) fn new(version: &str) -> Result<Self, FlightError> {
        let mut infos = SqlInfoDataBuilder::new();
        server(&mut infos, version);
        names(&mut infos);
        grammar(&mut infos);
        limits(&mut infos);
        transactions_and_results(&mut infos);
        Ok(Self {
            data: infos.build()?,
        })
    }

    /// The columns of GetSqlInfo.
    pub(super) fn schema(&self) -> SchemaRef {
        self.data.schema()
    }

    /// The rows of GetSqlInfo: of the ids given, or all if none are.
    pub(super) fn rows(&self, ids: &[u32]) -> Result<RecordBatch> {
        // An id costs the builder a pass over all rows.
        let mut ids: Vec<u32> = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(1000);
        self.data
            .record_batch(ids)
            .map_err(|e| Error::internal("the server's properties cannot be listed").with_source(e))
    }
}

fn server(infos: &mut SqlInfoDataBuilder, version: &str) {
    infos.append(FlightSqlServerName, "Waterbuck");
    infos.append(FlightSqlServerVersion, version);
    infos.append(FlightSqlServerArrowVersion, "1.3");
    infos.append(FlightSqlServerReadOnly, false);
    infos.append(FlightSqlServerSql, true);
    infos.append(FlightSqlServerSubstrait, false);
    infos.append(FlightSqlServerSubstraitMinVersion, "");
    infos.append(FlightSqlServerSubstraitMaxVersion, "");
    infos.append(
        FlightSqlServerTransaction,
        SqlSupportedTransaction::None as i32,
    );
    infos.append(FlightSqlServerCancel, true);
    infos.append(FlightSqlServerBulkIngestion, true);
    infos.append(FlightSqlServerIngestTransactionsSupported, false);
    // No time limit of the server's own.
    infos.append(FlightSqlServerStatementTimeout, 0_i32);
    infos.append(FlightSqlServerTransactionTimeout, 0_i32);
}

fn names(infos: &mut SqlInfoDataBuilder) {
    infos.append(SqlDdlCatalog, false);
    infos.append(SqlDdlSchema, true);
    infos.append(SqlDdlTable, true);
    // Plain names are folded to lower case, quoted ones kept as they are and told apart by case,
    // for which the format has no code but "unknown".
    infos.append(
        SqlIdentifierCase,
        SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32,
    );
    infos.append(SqlIdentifierQuoteChar, "\"");
    infos.append(
        SqlQuotedIdentifierCase,
        SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32,
    );
    infos.append(SqlAllTablesAreSelectable, true);
    // NULLS LAST ascending, NULLS FIRST descending.
    infos.append(SqlNullOrdering, SqlNullOrdering::SqlNullsSortedHigh as i32);
    infos.append(SqlKeywords, list(words::KEYWORDS));
    infos.append(SqlNumericFunctions, list(words::NUMERIC_FUNCTIONS));
    infos.append(SqlStringFunctions, list(words::STRING_FUNCTIONS));
    infos.append(SqlSystemFunctions, list(words::SYSTEM_FUNCTIONS));
    infos.append(SqlDatetimeFunctions, list(words::DATETIME_FUNCTIONS));
    infos.append(SqlSearchStringEscape, "\\");
    infos.append(SqlExtraNameCharacters, "");
    infos.append(SqlSchemaTerm, "schema");
    infos.append(SqlProcedureTerm, "procedure");
    infos.append(SqlCatalogTerm, "catalog");
    infos.append(SqlCatalogAtStart, true);
}

fn grammar(infos: &mut SqlInfoDataBuilder) {
    infos.append(SqlSupportsColumnAliasing, true);
    infos.append(SqlNullPlusNullIsNull, true);
    infos.append(SqlSupportsConvert, conversions());
    infos.append(SqlSupportsTableCorrelationNames, true);
    infos.append(SqlSupportsDifferentTableCorrelationNames, false);
    infos.append(SqlSupportsExpressionsInOrderBy, true);
    infos.append(SqlSupportsOrderByUnrelated, true);
    infos.append(SqlSupportedGroupBy, bits(&[0, 1]));
    infos.append(SqlSupportsLikeEscapeClause, true);
    infos.append(SqlSupportsNonNullableColumns, true);
    infos.append(SqlSupportedGrammar, bits(&[0, 1]));
    infos.append(SqlAnsi92SupportedLevel, bits(&[0]));
    infos.append(SqlSupportsIntegrityEnhancementFacility, false);
    infos.append(SqlOuterJoinsSupportLevel, bits(&[1, 2]));
    // Schemas and catalogs may be named in procedure calls, index and privilege definitions:
    // drivers take this for "three-part names are understood".
    infos.append(SqlSchemasSupportedActions, bits(&[0, 1, 2]));
    infos.append(SqlCatalogsSupportedActions, bits(&[0, 1, 2]));
    infos.append(SqlSupportedPositionedCommands, 0_i32);
    infos.append(SqlSelectForUpdateSupported, false);
    infos.append(SqlStoredProceduresSupported, false);
    infos.append(SqlSupportedSubqueries, bits(&[0, 1, 2, 3]));
    infos.append(SqlCorrelatedSubqueriesSupported, true);
    infos.append(SqlSupportedUnions, bits(&[0, 1]));
}

/// Zero means that there is no limit, or none that is known.
fn limits(infos: &mut SqlInfoDataBuilder) {
    for unlimited in [
        SqlMaxBinaryLiteralLength,
        SqlMaxCharLiteralLength,
        SqlMaxColumnNameLength,
        SqlMaxColumnsInGroupBy,
        SqlMaxColumnsInIndex,
        SqlMaxColumnsInOrderBy,
        SqlMaxColumnsInSelect,
        SqlMaxColumnsInTable,
        SqlMaxConnections,
        SqlMaxCursorNameLength,
        SqlMaxIndexLength,
        SqlDbSchemaNameLength,
        SqlMaxProcedureNameLength,
        SqlMaxCatalogNameLength,
        SqlMaxRowSize,
        SqlMaxStatementLength,
        SqlMaxStatements,
        SqlMaxTableNameLength,
        SqlMaxTablesInSelect,
        SqlMaxUsernameLength,
    ] {
        infos.append(unlimited, 0_i64);
    }
    infos.append(SqlMaxRowSizeIncludesBlobs, true);
}

fn transactions_and_results(infos: &mut SqlInfoDataBuilder) {
    // The format says int32; the Java driver reads a bigint and fails on anything else.
    infos.append(SqlDefaultTransactionIsolation, 0_i64);
    infos.append(SqlTransactionsSupported, false);
    infos.append(SqlSupportedTransactionsIsolationLevels, bits(&[0]));
    infos.append(SqlDataDefinitionCausesTransactionCommit, false);
    infos.append(SqlDataDefinitionsInTransactionsIgnored, false);
    infos.append(SqlSupportedResultSetTypes, bits(&[1]));
    infos.append(SqlSupportedConcurrenciesForResultSetUnspecified, 0_i32);
    infos.append(SqlSupportedConcurrenciesForResultSetForwardOnly, bits(&[1]));
    infos.append(SqlSupportedConcurrenciesForResultSetScrollSensitive, 0_i32);
    infos.append(
        SqlSupportedConcurrenciesForResultSetScrollInsensitive,
        0_i32,
    );
    infos.append(SqlBatchUpdatesSupported, true);
    infos.append(SqlSavepointsSupported, false);
    infos.append(SqlNamedParametersSupported, false);
    infos.append(SqlLocatorsUpdateCopy, false);
    infos.append(SqlStoredFunctionsUsingCallSyntaxSupported, false);
}

fn list(words: &str) -> Vec<String> {
    words.split(' ').map(str::to_owned).collect()
}

/// A bitmask from the numbers of the format's enumerations.
fn bits(numbers: &[u32]) -> i32 {
    numbers.iter().fold(0, |mask, number| mask | 1 << number)
}

/// What CAST converts: everything to and from text, numbers among each other, dates to times.
fn conversions() -> BTreeMap<i32, Vec<i32>> {
    use arrow_flight::sql::SqlSupportsConvert::*;
    let numbers_of = |kinds: &[SqlSupportsConvert]| kinds.iter().map(|k| *k as i32).collect();
    let texts = [SqlConvertChar, SqlConvertVarchar, SqlConvertLongvarchar];
    let numbers = [
        SqlConvertBit,
        SqlConvertTinyint,
        SqlConvertSmallint,
        SqlConvertInteger,
        SqlConvertBigint,
        SqlConvertReal,
        SqlConvertFloat,
        SqlConvertDecimal,
        SqlConvertNumeric,
    ];
    let times = [SqlConvertDate, SqlConvertTime, SqlConvertTimestamp];
    let binaries = [
        SqlConvertBinary,
        SqlConvertVarbinary,
        SqlConvertLongvarbinary,
    ];
    let mut all = BTreeMap::new();
    for kind in texts {
        let to = [&texts[..], &numbers[..], &times[..], &binaries[..]].concat();
        all.insert(kind as i32, numbers_of(&to));
    }
    for kind in numbers {
        all.insert(
            kind as i32,
            numbers_of(&[&numbers[..], &texts[..]].concat()),
        );
    }
    for kind in [SqlConvertDate, SqlConvertTimestamp] {
        let to = [&[SqlConvertDate, SqlConvertTimestamp][..], &texts[..]].concat();
        all.insert(kind as i32, numbers_of(&to));
    }
    all.insert(
        SqlConvertTime as i32,
        numbers_of(&[&[SqlConvertTime][..], &texts[..]].concat()),
    );
    for kind in binaries {
        all.insert(
            kind as i32,
            numbers_of(&[&binaries[..], &texts[..]].concat()),
        );
    }
    all
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, UnionArray};
    use arrow::datatypes::UInt32Type;

    use super::*;

    #[test]
    fn every_id_is_answered_with_the_type_drivers_expect() {
        let info = ServerInfo::new("1.2.3").unwrap();
        let rows = info.rows(&[]).unwrap();
        let ids = rows.column(0).as_primitive::<UInt32Type>();
        let values = rows
            .column(1)
            .as_any()
            .downcast_ref::<UnionArray>()
            .unwrap();
        let kinds: BTreeMap<u32, i8> = ids
            .values()
            .iter()
            .copied()
            .zip(values.type_ids().iter().copied())
            .collect();
        for (id, kind) in expected() {
            assert_eq!(kinds.get(&id), Some(&kind), "info {id}");
        }
        assert_eq!(info.rows(&[8, 8, 4]).unwrap().num_rows(), 2);
    }

    fn expected() -> Vec<(u32, i8)> {
        let mut expected = Vec::new();
        let mut all = |kind: i8, ids: &[std::ops::RangeInclusive<u32>]| {
            expected.extend(ids.iter().cloned().flatten().map(|id| (id, kind)));
        };
        all(0, &[0..=2, 6..=7, 504..=504, 513..=514, 529..=531]);
        all(
            1,
            &[
                3..=5,
                9..=11,
                500..=502,
                506..=506,
                515..=516,
                518..=521,
                523..=524,
            ],
        );
        all(
            1,
            &[
                527..=527,
                532..=532,
                536..=537,
                539..=539,
                556..=556,
                563..=563,
            ],
        );
        all(1, &[565..=566, 572..=576]);
        all(2, &[541..=555, 557..=562]);
        all(
            3,
            &[
                8..=8,
                503..=503,
                505..=505,
                507..=507,
                522..=522,
                525..=526,
                528..=528,
            ],
        );
        all(3, &[533..=535, 538..=538, 540..=540, 564..=564, 567..=571]);
        all(4, &[508..=512]);
        all(5, &[517..=517]);
        expected
    }
}

//! Parts of dates and times by name, days added to dates, seconds since 1970.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::functions::datetime::{date_part, to_unixtime};
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, Operator, binary_expr, cast, lit};

use super::rewritten::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "year",
        aliases: &[],
        description: "Returns the year of a date or time.",
        syntax: "year(moment)",
        immutable: true,
        coerce: |types| Ok(vec![moment("year", types)?]),
        returns: |_| Ok(DataType::Int32),
        write: |args, _| part_of("year", args),
    },
    Rule {
        name: "quarter",
        aliases: &[],
        description: "Returns the quarter of a date or time, from 1 to 4.",
        syntax: "quarter(moment)",
        immutable: true,
        coerce: |types| Ok(vec![moment("quarter", types)?]),
        returns: |_| Ok(DataType::Int32),
        write: |args, _| part_of("quarter", args),
    },
    Rule {
        name: "month",
        aliases: &[],
        description: "Returns the month of a date or time, from 1 to 12.",
        syntax: "month(moment)",
        immutable: true,
        coerce: |types| Ok(vec![moment("month", types)?]),
        returns: |_| Ok(DataType::Int32),
        write: |args, _| part_of("month", args),
    },
    Rule {
        name: "week",
        aliases: &["weekofyear"],
        description: "Returns the week of a date or time by ISO 8601.",
        syntax: "week(moment)",
        immutable: true,
        coerce: |types| Ok(vec![moment("week", types)?]),
        returns: |_| Ok(DataType::Int32),
        write: |args, _| part_of("week", args),
    },
    Rule {
        name: "day",
        aliases: &["dayofmonth"],
        description: "Returns the day of the month of a date or time.",
        syntax: "day(moment)",
        immutable: true,
        coerce: |types| Ok(vec![moment("day", types)?]),
        returns: |_| Ok(DataType::Int32),
        write: |args, _| part_of("day", args),
    },
    Rule {
        name: "dayofyear",
        aliases: &[],
        description: "Returns the day of the year of a date or time.",
        syntax: "dayofyear(moment)",
        immutable: true,
        coerce: |types| Ok(vec![moment("dayofyear", types)?]),
        returns: |_| Ok(DataType::Int32),
        write: |args, _| part_of("doy", args),
    },
    Rule {
        name: "hour",
        aliases: &[],
        description: "Returns the hour of a time.",
        syntax: "hour(moment)",
        immutable: true,
        coerce: |types| Ok(vec![moment("hour", types)?]),
        returns: |_| Ok(DataType::Int32),
        write: |args, _| part_of("hour", args),
    },
    Rule {
        name: "minute",
        aliases: &[],
        description: "Returns the minute of a time.",
        syntax: "minute(moment)",
        immutable: true,
        coerce: |types| Ok(vec![moment("minute", types)?]),
        returns: |_| Ok(DataType::Int32),
        write: |args, _| part_of("minute", args),
    },
    Rule {
        name: "second",
        aliases: &[],
        description: "Returns the whole seconds of a time.",
        syntax: "second(moment)",
        immutable: true,
        coerce: |types| Ok(vec![moment("second", types)?]),
        returns: |_| Ok(DataType::Int32),
        write: |args, _| part_of("second", args),
    },
    Rule {
        name: "date_add",
        aliases: &[],
        description: "Returns a date so many days later, or a date or time later by an interval.",
        syntax: "date_add(date, days_or_interval)",
        immutable: true,
        coerce: |types| moved_types("date_add", Operator::Plus, types),
        returns: |types| moved_type("date_add", Operator::Plus, types),
        write: |args, info| {
            let [start, distance] = take_function_args("date_add", args)?;
            let by_days = info.get_data_type(&distance)?.is_integer();
            Ok(moved(start, Operator::Plus, distance, by_days))
        },
    },
    Rule {
        name: "date_sub",
        aliases: &[],
        description: "Returns a date so many days earlier, or a date or time earlier by an interval.",
        syntax: "date_sub(date, days_or_interval)",
        immutable: true,
        coerce: |types| moved_types("date_sub", Operator::Minus, types),
        returns: |types| moved_type("date_sub", Operator::Minus, types),
        write: |args, info| {
            let [start, distance] = take_function_args("date_sub", args)?;
            let by_days = info.get_data_type(&distance)?.is_integer();
            Ok(moved(start, Operator::Minus, distance, by_days))
        },
    },
    Rule {
        name: "unix_timestamp",
        aliases: &[],
        description: "Returns the seconds from the start of 1970 to a date or time, or to now.",
        syntax: "unix_timestamp([moment[, format]])",
        immutable: false,
        coerce: |types| {
            if types.len() > 2 {
                return plan_err!("unix_timestamp takes a date or time and its format");
            }
            Ok(types.to_vec())
        },
        returns: |_| Ok(DataType::Int64),
        write: |args, info| {
            if !args.is_empty() {
                let call = ScalarFunction::new_udf(to_unixtime(), args);
                return Ok(Expr::ScalarFunction(call));
            }
            match info.query_execution_start_time() {
                Some(now) => Ok(lit(now.timestamp())),
                None => exec_err!("unix_timestamp() is known in queries only"),
            }
        },
    },
];

/// The type as which a moment is looked at.
fn moment(name: &str, types: &[DataType]) -> Result<DataType> {
    let [data_type] = take_function_args(name, types)?;
    match data_type {
        DataType::Null => Ok(DataType::Date32),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            Ok(DataType::Timestamp(TimeUnit::Nanosecond, None))
        }
        moment if moment.is_temporal() => Ok(moment.clone()),
        other => plan_err!("{name} takes a date or time, not {other}"),
    }
}

fn part_of(part: &str, args: Vec<Expr>) -> Result<Expr> {
    let [moment] = take_function_args(part, args)?;
    let call = ScalarFunction::new_udf(date_part(), vec![lit(part), moment]);
    Ok(Expr::ScalarFunction(call))
}

fn moved_types(name: &str, operator: Operator, types: &[DataType]) -> Result<Vec<DataType>> {
    let [start, distance] = take_function_args(name, types)?;
    if distance.is_integer() || distance.is_null() {
        moment(name, std::slice::from_ref(start))?;
        return Ok(vec![DataType::Date32, DataType::Int32]);
    }
    if !matches!(distance, DataType::Interval(_)) {
        return plan_err!("{name} takes a number of days or an interval, not {distance}");
    }
    let start = moment(name, std::slice::from_ref(start))?;
    let (start, distance) =
        BinaryTypeCoercer::new(&start, &operator, distance).get_input_types()?;
    Ok(vec![start, distance])
}

fn moved_type(name: &str, operator: Operator, types: &[DataType]) -> Result<DataType> {
    let [start, distance] = take_function_args(name, types)?;
    if distance.is_integer() {
        return Ok(DataType::Date32);
    }
    BinaryTypeCoercer::new(start, &operator, distance).get_result_type()
}

/// Days are counted in 64 bits and cast back, so that a date that does not exist is an error.
fn moved(start: Expr, operator: Operator, distance: Expr, by_days: bool) -> Expr {
    if !by_days {
        return binary_expr(start, operator, distance);
    }
    let start = cast(cast(start, DataType::Int32), DataType::Int64);
    let days = binary_expr(start, operator, cast(distance, DataType::Int64));
    cast(cast(days, DataType::Int32), DataType::Date32)
}

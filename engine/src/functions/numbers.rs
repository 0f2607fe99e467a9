//! `mod`, and choices by a condition or by NULL.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::binary::{BinaryTypeCoercer, type_union_coercion};
use datafusion::logical_expr::{Case, Expr, Operator, binary_expr, lit};

use super::rewritten::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "mod",
        aliases: &[],
        description: "Returns the remainder of a division, as the operator % does.",
        syntax: "mod(dividend, divisor)",
        immutable: true,
        coerce: |types| {
            let [left, right] = take_function_args("mod", types)?;
            let (left, right) =
                BinaryTypeCoercer::new(left, &Operator::Modulo, right).get_input_types()?;
            Ok(vec![left, right])
        },
        returns: |types| {
            let [left, right] = take_function_args("mod", types)?;
            BinaryTypeCoercer::new(left, &Operator::Modulo, right).get_result_type()
        },
        write: |args, _| {
            let [left, right] = take_function_args("mod", args)?;
            Ok(binary_expr(left, Operator::Modulo, right))
        },
    },
    Rule {
        name: "if",
        aliases: &[],
        description: "Returns the second argument where the condition is true, else the third.",
        syntax: "if(condition, then, else)",
        immutable: true,
        coerce: |types| {
            let [_, then, otherwise] = take_function_args("if", types)?;
            let Some(common) = type_union_coercion(then, otherwise) else {
                return plan_err!("if takes two values of one type, not {then} and {otherwise}");
            };
            Ok(vec![DataType::Boolean, common.clone(), common])
        },
        returns: |types| {
            let [_, then, _] = take_function_args("if", types)?;
            Ok(then.clone())
        },
        write: |args, _| {
            let [condition, then, otherwise] = take_function_args("if", args)?;
            Ok(choice(condition, then, otherwise))
        },
    },
    Rule {
        name: "zeroifnull",
        aliases: &[],
        description: "Returns 0 in place of NULL.",
        syntax: "zeroifnull(number)",
        immutable: true,
        coerce: |types| Ok(vec![number("zeroifnull", types)?]),
        returns: |types| number("zeroifnull", types),
        write: |args, info| {
            let [value] = take_function_args("zeroifnull", args)?;
            let zero = lit(ScalarValue::new_zero(&info.get_data_type(&value)?)?);
            Ok(choice(value.clone().is_null(), zero, value))
        },
    },
    Rule {
        name: "nullifzero",
        aliases: &[],
        description: "Returns NULL in place of 0.",
        syntax: "nullifzero(number)",
        immutable: true,
        coerce: |types| Ok(vec![number("nullifzero", types)?]),
        returns: |types| number("nullifzero", types),
        write: |args, info| {
            let [value] = take_function_args("nullifzero", args)?;
            let data_type = info.get_data_type(&value)?;
            let zero = lit(ScalarValue::new_zero(&data_type)?);
            let null = lit(ScalarValue::try_from(&data_type)?);
            Ok(choice(value.clone().eq(zero), null, value))
        },
    },
];

fn choice(condition: Expr, then: Expr, otherwise: Expr) -> Expr {
    let branch = (Box::new(condition), Box::new(then));
    Expr::Case(Case::new(None, vec![branch], Some(Box::new(otherwise))))
}

fn number(name: &str, types: &[DataType]) -> Result<DataType> {
    let [data_type] = take_function_args(name, types)?;
    match data_type {
        DataType::Null => Ok(DataType::Int64),
        number if number.is_numeric() => Ok(number.clone()),
        other => plan_err!("{name} takes a number, not {other}"),
    }
}

//! "Did you mean …?"

use waterbuck_engine::names::nearest;

/// A hint at the nearest of `names`, or nothing.
pub(crate) fn did_you_mean<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wanted, names).map_or_else(String::new, |name| format!("; did you mean \"{name}\"?"))
}

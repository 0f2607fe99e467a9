//! A compact form of the files of a scan, for plans that travel.
//!
//! Neighbouring files have most of their path in common, directories share their partition values
//! and sizes are small numbers; what is left compresses well. Statistics stay at home.
//!
//! A list is kept by columns, since values of one kind resemble each other:
//!
//! ```text
//! list := directories groups paths sizes times directory-numbers rest
//!
//! groups  a count of files for each group
//! paths   how many bytes a path shares with the one before, and what follows them
//! times   when a file was last modified, less when the one before was
//! rest    flags [etag] [range]
//! ```

use std::collections::HashMap;

use chrono::DateTime;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::datasource::listing::{FileRange, PartitionedFile};
use datafusion::datasource::physical_plan::FileGroup;
use datafusion_proto::protobuf;
use object_store::ObjectMeta;
use object_store::path::Path;
use prost::Message;
use prost::encoding::{decode_varint, encode_varint};

const ZSTD_LEVEL: i32 = 3;
/// A list claiming to be larger than this once unpacked is damaged.
const MAX_UNPACKED_BYTES: usize = 1 << 30;

const HAS_ETAG: u64 = 1;
const HAS_RANGE: u64 = 2;

/// Packs file groups.
///
/// # Errors
/// When a partition value has no serialised form.
pub(super) fn pack(groups: &[FileGroup]) -> Result<Vec<u8>> {
    let mut directories: Vec<&[ScalarValue]> = Vec::new();
    let mut known: HashMap<&[ScalarValue], u64> = HashMap::new();
    let mut columns = Columns::<Vec<u8>>::default();
    let (mut last_path, mut last_time) = ("", 0_i64);
    for group in groups {
        encode_varint(group.len() as u64, &mut columns.groups);
        for file in group.files() {
            let meta = &file.object_meta;
            let path = meta.location.as_ref();
            let shared = shared_bytes(last_path, path);
            encode_varint(shared as u64, &mut columns.paths);
            put_bytes(&path.as_bytes()[shared..], &mut columns.paths);
            encode_varint(meta.size, &mut columns.sizes);
            let time = meta.last_modified.timestamp_nanos_opt().unwrap_or_default();
            encode_varint(zigzag(time.wrapping_sub(last_time)), &mut columns.times);
            let values = file.partition_values.as_slice();
            let directory = *known.entry(values).or_insert_with(|| {
                directories.push(values);
                directories.len() as u64 - 1
            });
            encode_varint(directory, &mut columns.directories);
            put_rest(file, &mut columns.rest);
            (last_path, last_time) = (path, time);
        }
    }
    let mut list = Vec::new();
    encode_varint(directories.len() as u64, &mut list);
    for values in directories {
        encode_varint(values.len() as u64, &mut list);
        for value in values {
            let value = protobuf::ScalarValue::try_from(value).map_err(|e| external(&e))?;
            put_bytes(&value.encode_to_vec(), &mut list);
        }
    }
    for column in columns.in_order() {
        put_bytes(column, &mut list);
    }
    let packed = zstd::bulk::compress(&list, ZSTD_LEVEL)?;
    let mut out = Vec::with_capacity(packed.len() + 8);
    encode_varint(list.len() as u64, &mut out);
    out.extend(packed);
    Ok(out)
}

/// What is said of the files, by kind.
#[derive(Default)]
struct Columns<T> {
    groups: T,
    paths: T,
    sizes: T,
    times: T,
    directories: T,
    rest: T,
}

impl Columns<Vec<u8>> {
    fn in_order(&self) -> [&[u8]; 6] {
        [
            &self.groups,
            &self.paths,
            &self.sizes,
            &self.times,
            &self.directories,
            &self.rest,
        ]
    }
}

impl<'a> Columns<&'a [u8]> {
    fn of(at: &mut &'a [u8]) -> Result<Self> {
        Ok(Self {
            groups: bytes(at)?,
            paths: bytes(at)?,
            sizes: bytes(at)?,
            times: bytes(at)?,
            directories: bytes(at)?,
            rest: bytes(at)?,
        })
    }
}

fn put_rest(file: &PartitionedFile, body: &mut Vec<u8>) {
    let e_tag = file.object_meta.e_tag.as_ref();
    let etag_flag = if e_tag.is_some() { HAS_ETAG } else { 0 };
    let range_flag = if file.range.is_some() { HAS_RANGE } else { 0 };
    encode_varint(etag_flag | range_flag, body);
    if let Some(e_tag) = e_tag {
        put_bytes(e_tag.as_bytes(), body);
    }
    if let Some(range) = &file.range {
        encode_varint(zigzag(range.start), body);
        encode_varint(zigzag(range.end), body);
    }
}

/// Unpacks file groups.
///
/// # Errors
/// When the bytes are not what [`pack`] gave.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<FileGroup>> {
    let mut packed = packed;
    let length = usize::try_from(varint(&mut packed)?).map_err(|_| damaged())?;
    if length > MAX_UNPACKED_BYTES {
        return Err(damaged());
    }
    let list = zstd::bulk::decompress(packed, length)?;
    let mut at = list.as_slice();
    let directories = (0..count(&mut at)?)
        .map(|_| directory(&mut at))
        .collect::<Result<Vec<_>>>()?;
    let mut columns = Columns::of(&mut at)?;
    let (mut path, mut time) = (String::new(), 0_i64);
    let mut groups = Vec::new();
    while !columns.groups.is_empty() {
        let mut files = Vec::new();
        for _ in 0..varint(&mut columns.groups)? {
            let shared = usize::try_from(varint(&mut columns.paths)?).map_err(|_| damaged())?;
            if !path.is_char_boundary(shared) {
                return Err(damaged());
            }
            path.truncate(shared);
            path.push_str(&text(&mut columns.paths)?);
            let size = varint(&mut columns.sizes)?;
            time = time.wrapping_add(unzigzag(varint(&mut columns.times)?));
            let directory = varint(&mut columns.directories)?;
            let directory = usize::try_from(directory).map_err(|_| damaged())?;
            let values = directories.get(directory).ok_or_else(damaged)?;
            let location = Path::parse(&path).map_err(|_| damaged())?;
            let last_modified = DateTime::from_timestamp_nanos(time);
            let meta = ObjectMeta {
                location,
                last_modified,
                size,
                e_tag: None,
                version: None,
            };
            let file = PartitionedFile::new_from_meta(meta).with_partition_values(values.clone());
            files.push(rest(file, &mut columns.rest)?);
        }
        groups.push(FileGroup::new(files));
    }
    Ok(groups)
}

fn rest(mut file: PartitionedFile, at: &mut &[u8]) -> Result<PartitionedFile> {
    let flags = varint(at)?;
    if flags & HAS_ETAG != 0 {
        file.object_meta.e_tag = Some(text(at)?);
    }
    if flags & HAS_RANGE != 0 {
        let (start, end) = (unzigzag(varint(at)?), unzigzag(varint(at)?));
        file.range = Some(FileRange { start, end });
    }
    Ok(file)
}

fn directory(at: &mut &[u8]) -> Result<Vec<ScalarValue>> {
    (0..count(at)?)
        .map(|_| {
            let value = protobuf::ScalarValue::decode(bytes(at)?).map_err(|_| damaged())?;
            ScalarValue::try_from(&value).map_err(|e| external(&e))
        })
        .collect()
}

/// How many bytes two paths have in common, ending at a character of both.
fn shared_bytes(left: &str, right: &str) -> usize {
    let equal = left
        .bytes()
        .zip(right.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    (0..=equal)
        .rev()
        .find(|i| right.is_char_boundary(*i) && left.is_char_boundary(*i))
        .unwrap_or(0)
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

fn varint(at: &mut &[u8]) -> Result<u64> {
    decode_varint(at).map_err(|_| damaged())
}

/// A number of things that follow, each at least a byte long.
fn count(at: &mut &[u8]) -> Result<usize> {
    let count = usize::try_from(varint(at)?).map_err(|_| damaged())?;
    if count > at.len() {
        Err(damaged())
    } else {
        Ok(count)
    }
}

fn bytes<'a>(at: &mut &'a [u8]) -> Result<&'a [u8]> {
    let length = count(at)?;
    let (bytes, rest) = at.split_at(length);
    *at = rest;
    Ok(bytes)
}

fn text(at: &mut &[u8]) -> Result<String> {
    Ok(std::str::from_utf8(bytes(at)?)
        .map_err(|_| damaged())?
        .to_string())
}

fn damaged() -> DataFusionError {
    DataFusionError::Internal("the file list of a scan arrived damaged".into())
}

fn external(error: &dyn std::fmt::Display) -> DataFusionError {
    DataFusionError::Internal(format!("a partition value cannot be sent: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, time: i64) -> PartitionedFile {
        PartitionedFile::new_from_meta(ObjectMeta {
            location: Path::parse(path).expect("path"),
            last_modified: DateTime::from_timestamp_nanos(time),
            size: 12_345,
            e_tag: None,
            version: None,
        })
    }

    #[test]
    fn everything_that_matters_comes_back() {
        let mut tagged = file("a/ö=1/x.parquet", -5).with_range(3, 9);
        tagged.object_meta.e_tag = Some("\"e\"".into());
        let values = vec![
            ScalarValue::Int64(None),
            ScalarValue::Utf8View(Some("ä".into())),
        ];
        let groups = [
            FileGroup::new(vec![
                file("a/ö=1/w.parquet", i64::MAX).with_partition_values(values.clone()),
                tagged,
            ]),
            FileGroup::new(vec![]),
            FileGroup::new(vec![file("a/ø/z", i64::MIN + 1)]),
        ];
        let back = unpack(&pack(&groups).expect("pack")).expect("unpack");
        assert_eq!(back.len(), 3);
        for (before, after) in groups.iter().zip(&back) {
            assert_eq!(before.len(), after.len());
            for (before, after) in before.files().iter().zip(after.files()) {
                assert_eq!(before.object_meta, after.object_meta);
                assert_eq!(before.range, after.range);
                assert_eq!(before.partition_values, after.partition_values);
            }
        }
    }

    #[test]
    fn a_file_takes_a_few_bytes_however_many_there_are() {
        let many = |count: i64| {
            let (mut time, mut noise) = (1_700_000_000_000_000_000, 7_u64);
            let files = (0..count).map(|number| {
                noise = noise
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                time += (noise >> 44) as i64;
                let bucket = number / 100;
                let path = format!("data/many/bucket={bucket}/part-{number}.parquet");
                file(&path, time).with_partition_values(vec![ScalarValue::Int64(Some(bucket))])
            });
            let group = FileGroup::new(files.collect());
            pack(&[group]).expect("pack").len()
        };
        // Three of them tell when a file was written, to the nanosecond.
        let (thousand, hundred_thousand) = (many(1_000), many(100_000));
        assert!(thousand < 8_000, "{thousand} bytes");
        assert!(hundred_thousand < 700_000, "{hundred_thousand} bytes");
    }

    #[test]
    fn damage_is_an_error_not_a_panic() {
        let good = pack(&[FileGroup::new(vec![file("a/b", 1), file("a/c", 2)])]).expect("pack");
        for end in 0..good.len() {
            unpack(&good[..end]).expect_err("cut off");
        }
        unpack(&[0xff; 64]).expect_err("noise");
    }
}

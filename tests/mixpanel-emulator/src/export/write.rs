//! Writes records in each of the forms that exports have been seen in, or might have.

use std::collections::BTreeSet;
use std::io::{self, Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use zip::unstable::write::FileOptionsExt;
use zip::write::SimpleFileOptions;
use zip::{AesMode, ZipWriter};

use super::{ExportOrder, records, taint};
use crate::forms::ExportFormat;

/// Media type that a store would give for the form.
pub(crate) fn content_type(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Ndjson => "application/x-ndjson",
        ExportFormat::Array | ExportFormat::Pretty => "application/json",
        ExportFormat::Gzip => "application/gzip",
        ExportFormat::Zstd => "application/zstd",
        ExportFormat::Csv => "text/csv",
        _ => "application/zip",
    }
}

/// The whole export, with what is to be wrong with it. Of random forms the caller has picked one before.
pub(crate) fn write(order: &ExportOrder) -> io::Result<Vec<u8>> {
    taint::spoil(order, whole(order)?)
}

fn whole(order: &ExportOrder) -> io::Result<Vec<u8>> {
    match order.format {
        ExportFormat::Ndjson | ExportFormat::Random => lines(records(order)),
        ExportFormat::Array => array(records(order)),
        ExportFormat::Pretty => pretty(records(order)),
        ExportFormat::Gzip => gzip(&lines(records(order))?),
        ExportFormat::Zstd => zstd::encode_all(lines(records(order))?.as_slice(), 3),
        ExportFormat::Csv => Ok(profiles(records(order))),
        ExportFormat::Zip => archive(order, SimpleFileOptions::default(), false),
        ExportFormat::ZipGzip => archive(order, SimpleFileOptions::default(), true),
        ExportFormat::ZipPassword => {
            let options = zip::write::FileOptions::<()>::default();
            archive(order, options.with_deprecated_encryption(order.password.as_bytes())?, false)
        }
        ExportFormat::ZipAes => {
            let options = zip::write::FileOptions::<()>::default();
            archive(order, options.with_aes_encryption(AesMode::Aes256, &order.password), false)
        }
    }
}

fn lines(records: impl Iterator<Item = Value>) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    for record in records {
        serde_json::to_writer(&mut out, &record)?;
        out.push(b'\n');
    }
    Ok(out)
}

fn array(records: impl Iterator<Item = Value>) -> io::Result<Vec<u8>> {
    let mut out = vec![b'['];
    for (index, record) in records.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut out, &record)?;
    }
    out.push(b']');
    Ok(out)
}

fn pretty(records: impl Iterator<Item = Value>) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec_pretty(&records.collect::<Vec<_>>())?)
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content)?;
    encoder.finish()
}

/// The profiles alone, a column for each property that any of them has.
fn profiles(records: impl Iterator<Item = Value>) -> Vec<u8> {
    let profiles: Vec<Value> =
        records.filter(|record| record.get("$distinct_id").is_some()).collect();
    let properties = profiles.iter().filter_map(|profile| profile["$properties"].as_object());
    let columns: BTreeSet<&String> = properties.flat_map(|all| all.keys()).collect();
    let mut out =
        row(std::iter::once("$distinct_id").chain(columns.iter().map(|name| name.as_str())));
    for profile in &profiles {
        let values = columns.iter().map(|name| &profile["$properties"][name.as_str()]);
        let cells: Vec<String> =
            std::iter::once(&profile["$distinct_id"]).chain(values).map(cell).collect();
        out.push_str(&row(cells.iter().map(String::as_str)));
    }
    out.into_bytes()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn row<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
    cells.map(quoted).collect::<Vec<_>>().join(",") + "\r\n"
}

/// Two files, records taking turns; none at all if there is no record.
fn archive(
    order: &ExportOrder,
    options: zip::write::FileOptions<'_, '_, ()>,
    gzipped: bool,
) -> io::Result<Vec<u8>> {
    let mut parts = [Vec::new(), Vec::new()];
    for (index, record) in records(order).enumerate() {
        let part = &mut parts[index % 2];
        serde_json::to_writer(&mut *part, &record)?;
        part.push(b'\n');
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (index, part) in parts.iter().enumerate().filter(|(_, part)| !part.is_empty()) {
        let suffix = if gzipped { ".gz" } else { "" };
        zip.start_file(format!("export/part-{index:05}.json{suffix}"), options)?;
        zip.write_all(&if gzipped { gzip(part)? } else { part.clone() })?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Read;
    use std::sync::Arc;

    use chrono::{DateTime, TimeDelta};
    use flate2::read::GzDecoder;
    use zip::ZipArchive;
    use zip::read::ZipReadOptions;

    use super::*;
    use crate::people::People;

    fn order(format: ExportFormat, ids: &[&str]) -> ExportOrder {
        let ids: Vec<Arc<str>> = ids.iter().map(|id| Arc::from(*id)).collect();
        ExportOrder {
            snapshot: Arc::new(People::default().snapshot("p", &ids, 5)),
            // One day for all orders of a test: every invented record counts from it.
            today: DateTime::UNIX_EPOCH + TimeDelta::days(20_000),
            since: None,
            format,
            password: "open sesame".to_owned(),
            taints: Vec::new(),
            serving: crate::export::Serving::default(),
            cell: crate::export::Cell::default(),
        }
    }

    fn entries(bytes: Vec<u8>, password: Option<&[u8]>) -> Vec<Vec<u8>> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        let count = archive.len();
        let read = |index| {
            let options = ZipReadOptions::new().password(password);
            let mut content = Vec::new();
            archive
                .by_index_with_options(index, options)
                .unwrap()
                .read_to_end(&mut content)
                .unwrap();
            content
        };
        (0..count).map(read).collect()
    }

    fn unzip(content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        GzDecoder::new(content).read_to_end(&mut out).unwrap();
        out
    }

    fn sorted_lines(content: &[u8]) -> Vec<String> {
        let text = std::str::from_utf8(content).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    #[test]
    fn every_form_holds_the_same_records() {
        let ids = ["a", "b"];
        let expected = sorted_lines(&write(&order(ExportFormat::Ndjson, &ids)).unwrap());
        assert_eq!(expected.len(), 12);
        let bytes = |format| write(&order(format, &ids)).unwrap();
        let password = Some(b"open sesame".as_slice());
        let gzipped = entries(bytes(ExportFormat::ZipGzip), None);
        for content in [
            unzip(&bytes(ExportFormat::Gzip)),
            zstd::decode_all(bytes(ExportFormat::Zstd).as_slice()).unwrap(),
            entries(bytes(ExportFormat::Zip), None).concat(),
            entries(bytes(ExportFormat::ZipPassword), password).concat(),
            entries(bytes(ExportFormat::ZipAes), password).concat(),
            gzipped.iter().flat_map(|entry| unzip(entry)).collect(),
        ] {
            assert_eq!(sorted_lines(&content), expected);
        }
        for format in [ExportFormat::Array, ExportFormat::Pretty] {
            let records: Vec<Value> = serde_json::from_slice(&bytes(format)).unwrap();
            let lines: Vec<String> = records.iter().map(Value::to_string).collect();
            assert_eq!(sorted_lines(lines.join("\n").as_bytes()), expected);
        }
    }

    #[test]
    fn sealed_forms_do_not_open_without_the_password() {
        for format in [ExportFormat::ZipPassword, ExportFormat::ZipAes] {
            let bytes = write(&order(format, &["a"])).unwrap();
            let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
            assert!(archive.by_index(0).is_err());
        }
    }

    #[test]
    fn nobody_gives_an_empty_export() {
        assert_eq!(write(&order(ExportFormat::Ndjson, &[])).unwrap(), b"");
        assert_eq!(write(&order(ExportFormat::Array, &[])).unwrap(), b"[]");
        assert!(entries(write(&order(ExportFormat::Zip, &[])).unwrap(), None).is_empty());
    }
}

//! Files with all that they import, checked.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::DescriptorPool;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use crate::model::bounds::ITEMS;
use crate::model::decode::quoted;

/// Where the files lie that every compiler of protobuf brings along.
const WELL_KNOWN: &str = "google/protobuf/";

/// The files and what they import, each behind its imports; every name in them whole.
pub fn complete(files: Vec<FileDescriptorProto>) -> Result<Vec<FileDescriptorProto>, String> {
    let mut named = BTreeMap::new();
    for file in files {
        // Of another one the pool would not come back.
        if !matches!(file.syntax(), "" | "proto2" | "proto3") {
            let (syntax, name) = (quoted(file.syntax()), quoted(file.name()));
            return Err(format!(
                "has the syntax {syntax} in {name}, allowed: \"proto2\", \"proto3\""
            ));
        }
        file.message_type.iter().try_for_each(of_message)?;
        file.enum_type.iter().try_for_each(of_enum)?;
        if let Some(twice) = named.insert(file.name().to_owned(), file) {
            return Err(format!("has the file {} twice", quoted(twice.name())));
        }
    }
    add_well_known(&mut named)?;
    let ordered = ordered(named)?;
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_protos(ordered.iter().cloned())
        .map_err(|error| match error.line() {
            Some(line) => format!("is wrong in line {}: {error}", line + 1),
            None => format!("is wrong: {error}"),
        })?;
    let found = ordered
        .iter()
        .filter_map(|file| pool.get_file_by_name(file.name()));
    Ok(found
        .map(|file| file.file_descriptor_proto().clone())
        .collect())
}

/// Refuses more ranges than each field is held against in good time.
fn of_message(message: &DescriptorProto) -> Result<(), String> {
    let ranges = message.reserved_range.len() + message.extension_range.len();
    few(message.name(), ranges)?;
    message.enum_type.iter().try_for_each(of_enum)?;
    message.nested_type.iter().try_for_each(of_message)
}

fn of_enum(one: &EnumDescriptorProto) -> Result<(), String> {
    few(one.name(), one.reserved_range.len())
}

fn few(name: &str, ranges: usize) -> Result<(), String> {
    if ranges <= ITEMS {
        return Ok(());
    }
    let name = quoted(name);
    Err(format!(
        "has {ranges} ranges of numbers that {name} reserves or leaves to others, allowed: at most {ITEMS}"
    ))
}

/// Adds what is imported and known without being there.
fn add_well_known(named: &mut BTreeMap<String, FileDescriptorProto>) -> Result<(), String> {
    let known = DescriptorPool::global();
    let imports = |file: &FileDescriptorProto| file.dependency.clone();
    let mut open: Vec<String> = named.values().flat_map(imports).collect();
    while let Some(import) = open.pop() {
        if named.contains_key(&import) {
            continue;
        }
        let file = known
            .get_file_by_name(&import)
            .filter(|_| import.starts_with(WELL_KNOWN));
        let Some(file) = file else {
            return Err(format!(
                "imports {}, allowed: {WELL_KNOWN}*.proto; for others, a set of descriptors that has them, in base64 (`protoc \
                 --include_imports --descriptor_set_out=…`)",
                quoted(&import)
            ));
        };
        let file = file.file_descriptor_proto().clone();
        open.extend(imports(&file));
        named.insert(import, file);
    }
    Ok(())
}

/// By their imports, then by name.
fn ordered(
    mut named: BTreeMap<String, FileDescriptorProto>,
) -> Result<Vec<FileDescriptorProto>, String> {
    let mut importers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut missing: BTreeMap<String, usize> = BTreeMap::new();
    for (name, file) in &named {
        let imports: BTreeSet<&String> = file.dependency.iter().collect();
        missing.insert(name.clone(), imports.len());
        for import in imports {
            importers
                .entry(import.clone())
                .or_default()
                .push(name.clone());
        }
    }
    let free = missing.iter().filter(|(_, imports)| **imports == 0);
    let mut free: BTreeSet<String> = free.map(|(name, _)| name.clone()).collect();
    let mut ordered = Vec::new();
    while let Some(name) = free.pop_first() {
        ordered.extend(named.remove(&name));
        for importer in importers.remove(&name).into_iter().flatten() {
            if let Some(left) = missing.get_mut(&importer) {
                *left -= 1;
                if *left == 0 {
                    free.insert(importer);
                }
            }
        }
    }
    match named.keys().next() {
        None => Ok(ordered),
        Some(name) => Err(format!(
            "has files that import each other in a circle, {} among them",
            quoted(name)
        )),
    }
}

//! What of all files one method needs: its two messages, and what these are made of. A route that maps one method of a large
//! service would hold all of it otherwise, and so would every Envoy, once for each such route.

use std::collections::{BTreeSet, HashMap, HashSet};

use prost_types::field_descriptor_proto::Type;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, MethodDescriptorProto,
};

use super::{Protos, messages};

/// A message or an enum that stands in no other: the file, and where in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    Message(usize, usize),
    Enum(usize, usize),
}

impl Place {
    fn file(self) -> usize {
        match self {
            Self::Message(file, _) | Self::Enum(file, _) => file,
        }
    }
}

/// Where each message and enum stands, or the one that it stands in, by its whole name.
pub fn places(files: &[FileDescriptorProto]) -> HashMap<String, Place> {
    let mut places = HashMap::new();
    for (at, file) in files.iter().enumerate() {
        let package = match file.package() {
            "" => String::new(),
            package => format!(".{package}"),
        };
        for (which, message) in file.message_type.iter().enumerate() {
            add(&mut places, &package, message, Place::Message(at, which));
        }
        for (which, one) in file.enum_type.iter().enumerate() {
            places.insert(format!("{package}.{}", one.name()), Place::Enum(at, which));
        }
    }
    places
}

fn add(places: &mut HashMap<String, Place>, within: &str, message: &DescriptorProto, place: Place) {
    let name = format!("{within}.{}", message.name());
    for nested in &message.nested_type {
        add(places, &name, nested, place);
    }
    for one in &message.enum_type {
        places.insert(format!("{name}.{}", one.name()), place);
    }
    places.insert(name, place);
}

/// The files as far as a method needs them, and the place of the one that its service stands in.
pub struct Cut {
    pub files: Vec<FileDescriptorProto>,
    pub of_service: usize,
}

impl Cut {
    pub fn of(
        protos: &Protos,
        of_service: usize,
        method: &MethodDescriptorProto,
        detail: Option<&str>,
    ) -> Self {
        let named = messages(method).into_iter().chain(detail);
        let named: Vec<&str> = named.collect();
        let kept = protos.reached(&named);
        let mut files = Vec::new();
        let mut place = 0;
        for (at, file) in protos.files.iter().enumerate() {
            let is_service = at == of_service;
            if !is_service && !kept.iter().any(|one| one.file() == at) {
                continue;
            }
            if is_service {
                place = files.len();
            }
            let of_method: &[&str] = if is_service { &named } else { &[] };
            files.push(protos.part(at, file, &kept, of_method));
        }
        Self {
            files,
            of_service: place,
        }
    }
}

impl Protos {
    /// What messages are made of, and they.
    fn reached(&self, from: &[&str]) -> BTreeSet<Place> {
        let place = |name: &&str| self.types.get(*name).copied();
        let mut open: Vec<Place> = from.iter().filter_map(place).collect();
        let mut reached: BTreeSet<Place> = open.iter().copied().collect();
        while let Some(at) = open.pop() {
            let names = self.names(at);
            let new = names.iter().filter_map(place);
            open.extend(new.filter(|new| reached.insert(*new)));
        }
        reached
    }

    /// What the fields of a place are of.
    fn names(&self, at: Place) -> Vec<&str> {
        let Place::Message(file, which) = at else {
            return Vec::new();
        };
        let mut names = Vec::new();
        let mut open = vec![&self.files[file].message_type[which]];
        while let Some(message) = open.pop() {
            let typed = message.field.iter().filter(|field| is_typed(field));
            names.extend(typed.map(FieldDescriptorProto::type_name));
            open.extend(&message.nested_type);
        }
        names
    }

    /// A file with what is kept of it.
    fn part(
        &self,
        at: usize,
        file: &FileDescriptorProto,
        kept: &BTreeSet<Place>,
        of_method: &[&str],
    ) -> FileDescriptorProto {
        let own = kept.iter().filter(|place| place.file() == at);
        let named = own.flat_map(|place| self.names(*place));
        let named = named.chain(of_method.iter().copied());
        let others = named.filter_map(|name| self.types.get(name));
        let others: BTreeSet<usize> = others.map(|place| place.file()).collect();
        let others = others.into_iter().filter(|other| *other != at);
        let messages = file.message_type.iter().enumerate();
        let messages = messages.filter(|(which, _)| kept.contains(&Place::Message(at, *which)));
        let enums = file.enum_type.iter().enumerate();
        let enums = enums.filter(|(which, _)| kept.contains(&Place::Enum(at, *which)));
        FileDescriptorProto {
            name: file.name.clone(),
            package: file.package.clone(),
            dependency: others
                .map(|other| self.files[other].name().to_owned())
                .collect(),
            message_type: messages
                .map(|(_, message)| without_extensions(message))
                .collect(),
            enum_type: enums.map(|(_, one)| one.clone()).collect(),
            syntax: file.syntax.clone(),
            ..FileDescriptorProto::default()
        }
    }

    /// The message of that whole name.
    pub fn message(&self, name: &str) -> Option<&DescriptorProto> {
        let Place::Message(file, which) = *self.types.get(name)? else {
            return None;
        };
        let file = &self.files[file];
        let within = name.strip_prefix('.')?;
        let within = match file.package() {
            "" => within,
            package => within.strip_prefix(package)?.strip_prefix('.')?,
        };
        let mut steps = within.split('.').skip(1);
        let first = &file.message_type[which];
        steps.try_fold(first, |message, step| {
            let mut nested = message.nested_type.iter();
            nested.find(|nested| nested.name() == step)
        })
    }

    /// The first field of 64 bits in a message or what it is made of, as people write it: `echo.v1.Told.big`.
    pub fn wide(&self, name: &str) -> Option<String> {
        let mut seen = HashSet::from([name]);
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            let Some(message) = self.message(name) else {
                continue;
            };
            let is_entry = message.options.as_ref().is_some_and(|all| all.map_entry());
            for field in &message.field {
                // Names in objects are texts whatever they are.
                if is_wide(field) && !(is_entry && field.number() == 1) {
                    let message = name.trim_start_matches('.');
                    return Some(format!("{message}.{}", field.name()));
                }
                if is_typed(field) && seen.insert(field.type_name()) {
                    open.push(field.type_name());
                }
            }
        }
        None
    }
}

fn is_typed(field: &FieldDescriptorProto) -> bool {
    matches!(field.r#type(), Type::Message | Type::Group | Type::Enum)
}

fn is_wide(field: &FieldDescriptorProto) -> bool {
    matches!(
        field.r#type(),
        Type::Int64 | Type::Uint64 | Type::Sint64 | Type::Fixed64 | Type::Sfixed64
    )
}

/// Fields of others that stand in a message: they would have to be kept as well, and JSON does not know them.
fn without_extensions(message: &DescriptorProto) -> DescriptorProto {
    DescriptorProto {
        extension: Vec::new(),
        nested_type: message.nested_type.iter().map(without_extensions).collect(),
        ..message.clone()
    }
}

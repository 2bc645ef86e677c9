//! Doors for the fuzz targets in `tests/fuzz`: an export is opened, and nothing is stored.

use secrecy::SecretString;

use super::{
    Export, Limits, PackageError,
    open::{self, sole_deflate},
    split::owners::{Folder, Id, Reader},
    wrap,
};

/// Hands every record of an export to `sink`, in order.
pub fn each_record(
    export: impl Export,
    password: Option<&SecretString>,
    limits: &Limits,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), PackageError> {
    open::each_record(export, password, limits, &mut |record| {
        sink(record);
        Ok(())
    })
}

/// How many events an export has that goes into an archive as it stands; `None` if it does not.
pub fn events_as_they_stand(
    export: &mut impl Export,
    limits: &Limits,
) -> Result<Option<u64>, PackageError> {
    let Some(sole) = sole_deflate(export)? else { return Ok(None) };
    Ok(wrap::inspect(export, &sole, limits, 0)?.map(|wrapped| wrapped.events()))
}

/// What a record tells of its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// Ids, those of devices apart.
    pub ids: Vec<String>,
    /// Values of `$device_id`.
    pub devices: Vec<String>,
    /// Whether it is a profile; `None` if it names nobody for certain.
    pub profile: Option<bool>,
}

/// Reads a record as the split does.
pub fn owners(record: &[u8]) -> Owners {
    let mut owners = Owners::default();
    let folder = Reader::default().read(record, &mut |id| match id {
        Id::Distinct(id) => owners.ids.push(id.to_owned()),
        Id::Device(id) => owners.devices.push(id.to_owned()),
    });
    owners.profile = folder.ok().map(|folder| folder == Folder::Profiles);
    owners
}

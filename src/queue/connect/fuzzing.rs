//! A door for the fuzz targets in `tests/fuzz`: an address is read, and nothing is connected to.

use super::address::{Address, AddressError};

/// What people see of an address, and the number of its database.
pub fn place(url: &str) -> Result<(String, i64), AddressError> {
    Address::parse(url).map(|address| (address.place(), address.database()))
}

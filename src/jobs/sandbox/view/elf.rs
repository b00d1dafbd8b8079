//! What a program or library needs to be loaded, read from its file.

use std::{
    fs::File,
    io,
    os::unix::{ffi::OsStringExt, fs::FileExt},
    path::{Path, PathBuf},
};

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62; // EM_X86_64
#[cfg(not(target_arch = "x86_64"))]
const MACHINE: u16 = 183; // EM_AARCH64

/// Longest name or path that is believed, in bytes.
const LONGEST: usize = 4096;
/// Most headers and entries that are looked at: a bound against garbage.
const MAX_HEADERS: u64 = 4096;

/// The needs of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// The program that loads it; libraries have none.
    pub loader: Option<PathBuf>,
    /// Libraries, mostly by name only.
    pub libraries: Vec<PathBuf>,
    /// Folders in which they are looked for first, `$ORIGIN` as it stands there.
    pub folders: Vec<String>,
}

/// Reads the needs of a file; `None` if it is no program or library of this machine.
pub(super) fn needs(path: &Path) -> io::Result<Option<Needs>> {
    let file = File::open(path)?;
    let mut header = [0; 64];
    if file.read_at(&mut header, 0)? < header.len() {
        return Ok(None);
    }
    // 64 bits, little-endian.
    if !header.starts_with(b"\x7FELF\x02\x01") || u16_at(&header, 18) != MACHINE {
        return Ok(None);
    }

    let (table, size, count) = (u64_at(&header, 32), u64::from(u16_at(&header, 54)), u64::from(u16_at(&header, 56)));
    let mut needs = Needs::default();
    let mut loaded = Vec::new();
    let mut dynamic = None;
    for number in 0..count.min(MAX_HEADERS) {
        let mut segment = [0; 56];
        file.read_exact_at(&mut segment, table.saturating_add(number * size))?;
        let (offset, address, length) = (u64_at(&segment, 8), u64_at(&segment, 16), u64_at(&segment, 32));
        match u32_at(&segment, 0) {
            1 => loaded.push((address, offset, length)),       // PT_LOAD
            2 => dynamic = Some((offset, length)),             // PT_DYNAMIC
            3 => needs.loader = Some(path_at(&file, offset)?), // PT_INTERP
            _ => {}
        }
    }
    let Some((offset, length)) = dynamic else { return Ok(Some(needs)) };

    let (mut names, mut folders, mut strings) = (Vec::new(), Vec::new(), None);
    for number in 0..(length / 16).min(MAX_HEADERS) {
        let mut entry = [0; 16];
        file.read_exact_at(&mut entry, offset.saturating_add(number * 16))?;
        let value = u64_at(&entry, 8);
        match u64_at(&entry, 0) {
            0 => break,                     // DT_NULL
            1 => names.push(value),         // DT_NEEDED
            5 => strings = Some(value),     // DT_STRTAB
            15 | 29 => folders.push(value), // DT_RPATH, DT_RUNPATH
            _ => {}
        }
    }
    // Tables are named by where they are loaded; the segments tell where that is in the file.
    let strings = strings.and_then(|at: u64| {
        let (address, offset, _) =
            loaded.iter().find(|(address, _, length)| at >= *address && at - address < *length)?;
        Some(at - address + offset)
    });
    if let Some(strings) = strings {
        for name in names {
            needs.libraries.push(path_at(&file, strings.saturating_add(name))?);
        }
        for folder in folders {
            let list = path_at(&file, strings.saturating_add(folder))?;
            needs.folders.extend(list.to_string_lossy().split(':').map(str::to_owned));
        }
    }
    Ok(Some(needs))
}

/// The text at an offset, up to its NUL.
fn path_at(file: &File, offset: u64) -> io::Result<PathBuf> {
    let mut text = vec![0; LONGEST];
    let read = file.read_at(&mut text, offset)?;
    text.truncate(read);
    let end = text.iter().position(|&byte| byte == 0);
    text.truncate(end.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a name without an end"))?);
    Ok(std::ffi::OsString::from_vec(text).into())
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | (u64::from(u32_at(bytes, at + 4)) << 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_needs_a_loader_and_a_c_library() {
        let needs = needs(&std::env::current_exe().expect("this test")).expect("readable").expect("a program");
        assert!(needs.loader.is_some_and(|loader| loader.is_absolute()));
        assert!(
            needs.libraries.iter().any(|name| name.to_string_lossy().starts_with("libc.")),
            "{:?}",
            needs.libraries
        );
    }

    #[test]
    fn garbage_is_no_program() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        for text in [&b""[..], b"#!/bin/sh\n", &[0x7F; 200]] {
            std::fs::write(&path, text).expect("a file");
            assert_eq!(needs(&path).expect("readable"), None);
        }
        let mut cut = b"\x7FELF\x02\x01".to_vec();
        cut.resize(64, 0);
        cut[18..20].copy_from_slice(&MACHINE.to_le_bytes());
        cut[56] = 1;
        cut[32] = 200;
        std::fs::write(&path, cut).expect("a file");
        assert!(needs(&path).is_err(), "its headers are missing");
    }
}

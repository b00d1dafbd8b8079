//! Tells builds apart: the worker and its launcher are two programs, and must be of one.

#![allow(clippy::print_stdout, reason = "it is how a build script speaks with Cargo")]

use std::{error::Error, fs, path::Path};

/// FNV-1a, 64 bits: <http://www.isthe.com/chongo/tech/comp/fnv/>. It tells apart, and keeps nobody out.
fn add(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn add_folder(mut hash: u64, folder: &Path) -> Result<u64, Box<dyn Error>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    paths.sort();
    for path in paths {
        hash = add(hash, path.to_string_lossy().as_bytes());
        hash = if path.is_dir() { add_folder(hash, &path)? } else { add(hash, &fs::read(&path)?) };
    }
    Ok(hash)
}

fn main() -> Result<(), Box<dyn Error>> {
    let hash = add_folder(0xcbf2_9ce4_8422_2325, Path::new("src"))?;
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rustc-env=WORKROOM_LAUNCHER_BUILD={hash:016x}");
    Ok(())
}

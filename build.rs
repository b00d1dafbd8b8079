//! Takes out of Swagger UI's archive what the documentation page needs, and compresses it. The rest is three times as much.

#![allow(clippy::print_stdout, reason = "it is how a build script speaks with Cargo")]

use std::{env, error::Error, fs, io::Cursor, path::Path};

use flate2::{Compression, write::GzEncoder};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// Files of the page, in the archive's folder `dist`.
const FILES: [&str; 3] = ["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    // Migrations are embedded: a new one is a change, too.
    println!("cargo::rerun-if-changed=migrations");
    let folder = env::var("OUT_DIR")?;
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    let mut missing = FILES.to_vec();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        let Some((_, name)) = file.name()?.rsplit_once("/dist/").map(|(folder, name)| (folder, name.to_owned())) else {
            continue;
        };
        if FILES.contains(&name.as_str()) {
            let target = fs::File::create(Path::new(&folder).join(format!("{name}.gz")))?;
            let mut target = GzEncoder::new(target, Compression::best());
            std::io::copy(&mut file, &mut target)?;
            target.finish()?;
            missing.retain(|other| *other != name);
        }
    }
    if !missing.is_empty() {
        return Err(format!("Swagger UI lacks {missing:?}").into());
    }
    Ok(())
}

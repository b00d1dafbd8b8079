//! What sandboxed code sees of the system: laid out in a folder of its own when the worker starts, one for each language.
//!
//! The host's `/usr` tells a lot about the host: what is installed, how it was configured, who built it. So a program sees
//! a root that holds its interpreter, the common commands, the libraries that these need, the `C.UTF-8` locale, and an
//! `/etc` of four files. Small files are copied; large ones, and whole folders such as Python's modules, are mounted.
//! Everything else would be a mount a file, at every start.
//!
//! Libraries are found as the loader finds them, from the needs that each file names ([`elf`]), and lie in the loader's
//! own folders inside, because its cache, which lists all that the host has, is not there.

mod elf;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::{
    sys::statvfs::{FsFlags, statvfs},
    unistd::Uid,
};
use uuid::Uuid;

use super::{
    SandboxConfig,
    language::{Language, Sight},
    seccomp::{self, SharedMemory},
};

/// Larger files are mounted, not copied.
const COPIED_BYTES: u64 = 8 * 1024 * 1024;

/// How often a folder is made that others take for left behind.
const ATTEMPTS: u32 = 100;

/// The first part of a folder's name.
const PREFIX: &str = "workroom-sandbox-";

/// Commands that programs may start, as far as the host has them.
const COMMANDS: &[&str] = &[
    "[",
    "arch",
    "awk",
    "b2sum",
    "base32",
    "base64",
    "basename",
    "basenc",
    "bash",
    "bc",
    "bunzip2",
    "bzcat",
    "bzip2",
    "cat",
    "chmod",
    "chown",
    "cksum",
    "cmp",
    "comm",
    "cp",
    "csplit",
    "cut",
    "date",
    "dc",
    "dd",
    "df",
    "diff",
    "diff3",
    "dir",
    "dirname",
    "du",
    "echo",
    "egrep",
    "env",
    "expand",
    "expr",
    "factor",
    "false",
    "fgrep",
    "find",
    "fmt",
    "fold",
    "getopt",
    "grep",
    "groups",
    "gunzip",
    "gzip",
    "head",
    "hostname",
    "id",
    "install",
    "join",
    "jq",
    "kill",
    "link",
    "ln",
    "ls",
    "mawk",
    "md5sum",
    "mkdir",
    "mkfifo",
    "mktemp",
    "mv",
    "nice",
    "nl",
    "nohup",
    "nproc",
    "numfmt",
    "od",
    "paste",
    "patch",
    "pathchk",
    "pr",
    "printenv",
    "printf",
    "ptx",
    "pwd",
    "readlink",
    "realpath",
    "rev",
    "rm",
    "rmdir",
    "sdiff",
    "sed",
    "seq",
    "setsid",
    "sh",
    "sha1sum",
    "sha224sum",
    "sha256sum",
    "sha384sum",
    "sha512sum",
    "shred",
    "shuf",
    "sleep",
    "sort",
    "split",
    "stat",
    "stdbuf",
    "stty",
    "sum",
    "tac",
    "tail",
    "tar",
    "tee",
    "test",
    "timeout",
    "touch",
    "tr",
    "true",
    "truncate",
    "tsort",
    "tty",
    "uname",
    "unexpand",
    "uniq",
    "unlink",
    "unxz",
    "unzip",
    "vdir",
    "wc",
    "which",
    "whoami",
    "xargs",
    "xz",
    "xzcat",
    "yes",
    "zcat",
];

/// Where commands are looked for, first to last.
const COMMAND_FOLDERS: [&str; 2] = ["/usr/bin", "/bin"];

/// Libraries that are loaded by name at run time: what the C library needs to end a thread and to know users, and what
/// programs for foreign functions take for granted.
const LOADED_BY_NAME: [&str; 7] =
    ["libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libnss_files.so.2", "libpthread.so.0", "librt.so.1"];

/// Where loaders look without being told: Debian's and its kin's, Fedora's and its kin's.
#[cfg(target_arch = "x86_64")]
const LIBRARY_FOLDERS: [&str; 6] =
    ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
#[cfg(not(target_arch = "x86_64"))]
const LIBRARY_FOLDERS: [&str; 6] =
    ["/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];

/// Top folders that are links into `/usr` in most distributions.
const TOP_FOLDERS: [&str; 3] = ["bin", "lib", "lib64"];

/// Folders onto which something is mounted.
const MOUNT_POINTS: [&str; 4] = ["proc", "dev", "tmp", "workspace"];

/// The user inside; the name service reads these. Nothing of the host's `/etc` identifies it.
const ETC: [(&str, &str); 4] = [
    ("passwd", "sandbox:x:1000:1000::/workspace:/bin/bash\n"),
    ("group", "sandbox:x:1000:\n"),
    ("hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
];

/// Parts of node that some distributions keep outside its program, below [`NODE_PARTS_FOLDER`].
const NODE_PARTS: [&str; 6] = ["acorn", "acorn-walk", "amaro", "cjs-module-lexer", "minimatch", "undici"];
const NODE_PARTS_FOLDER: &str = "/usr/share/nodejs";

/// What a program of one language sees.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// The folder that becomes `/`.
    pub root: PathBuf,
    /// Files and folders of the host that are mounted at their own places, read-only.
    pub mounts: Vec<PathBuf>,
    pub interpreter: PathBuf,
    /// The list of system calls of the language's programs, as process 1 reads it.
    pub filter: PathBuf,
    _folder: Arc<Folder>,
}

/// The folder of all views; dropped, it is removed.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// While it is locked somebody uses the folder: neither another worker's sweep nor systemd-tmpfiles removes it.
    _lock: File,
}

impl Folder {
    /// Makes a folder for views, where their programs can be started by the sandbox's users, and removes those that killed
    /// workers have left.
    ///
    /// # Errors
    /// When there is no such place, with the places and what is wrong with them.
    pub(super) fn new(config: &SandboxConfig) -> io::Result<Self> {
        let mut reasons = Vec::new();
        for place in places(config) {
            match usable(&place).and_then(|()| Self::make(&place)) {
                Ok(folder) => return Ok(folder),
                Err(error) => reasons.push(format!("{}: {error}", place.display())),
            }
        }
        Err(io::Error::other(reasons.join("; ")))
    }

    fn make(place: &Path) -> io::Result<Self> {
        clean_up(place);
        for _ in 0..ATTEMPTS {
            let path = place.join(format!("{PREFIX}{}", Uuid::now_v7().simple()));
            DirBuilder::new().mode(0o700).create(&path)?;
            // Another's clean-up may take it for left behind before it is locked.
            let Ok(lock) = File::open(&path) else { continue };
            lock.lock_shared()?;
            if path.exists() {
                set_mode(&path, 0o755)?;
                return Ok(Self { path, _lock: lock });
            }
        }
        Err(io::Error::other("others remove what is made there"))
    }

    /// Lays out what programs of a language see.
    ///
    /// # Errors
    /// When the interpreter cannot be read or is no program of this machine, or the host fails.
    pub(super) fn lay_out(
        self: &Arc<Self>,
        config: &SandboxConfig,
        name: &str,
        language: &Language,
        interpreter: &Path,
        shared: SharedMemory,
        copies: &mut Copies,
    ) -> io::Result<View> {
        let root = self.path.join(name);
        // Of an interpreter that did not work.
        if root.exists() {
            copies.evict(&root);
            fs::remove_dir_all(&root)?;
        }
        let mut layout = Layout { root, mounts: BTreeSet::new(), placed: BTreeSet::new(), copies };
        layout.frame()?;
        if elf::needs(interpreter)?.is_none() {
            return Err(io::Error::other(format!("{} is no program of this machine", interpreter.display())));
        }
        layout.with_needs(interpreter)?;
        for command in COMMANDS {
            let mut places = COMMAND_FOLDERS.iter().map(|folder| Path::new(folder).join(command));
            if let Some(path) = places.find(|path| path.is_file()) {
                match layout.with_needs(&path) {
                    // Not for everybody, so not for programs.
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                    done => done?,
                }
            }
        }
        for name in LOADED_BY_NAME {
            layout.library(Path::new(name), &[])?;
        }
        for locale in ["/usr/lib/locale/C.utf8", "/usr/lib/locale/C.UTF-8"] {
            layout.tree(Path::new(locale))?;
        }
        for sight in &language.sees {
            match sight {
                Sight::PythonModules => layout.python(interpreter)?,
                Sight::NodeParts => layout.node()?,
                Sight::Path(path) => layout.sight(path)?,
            }
        }
        for folder in &config.mounts {
            layout.mount(folder)?;
        }
        let Layout { root, mounts, .. } = layout;
        let mounts = mounts.into_iter().collect();
        // Built once: it is the same for all programs of the language.
        let filter = self.path.join(format!("{name}.filter"));
        fs::write(&filter, seccomp::program(&language.calls, shared).map_err(io::Error::other)?)?;
        Ok(View { root, mounts, interpreter: interpreter.to_owned(), filter, _folder: Arc::clone(self) })
    }
}

/// Removes the folders of ended workers, wherever they may be.
pub(super) fn sweep(config: &SandboxConfig) {
    for place in places(config) {
        clean_up(&place);
    }
}

/// Where the folder may be made, first to last.
fn places(config: &SandboxConfig) -> Vec<PathBuf> {
    match &config.folder {
        Some(folder) => vec![folder.clone()],
        None => vec![std::env::temp_dir(), "/var/tmp".into(), "/dev/shm".into()],
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, folder = %self.path.display(), "what sandboxes saw of the system is left behind");
        }
    }
}

/// Where files of the host have been copied to: another view links to the copy.
#[derive(Debug, Default)]
pub(super) struct Copies(BTreeMap<PathBuf, PathBuf>);

impl Copies {
    fn evict(&mut self, root: &Path) {
        self.0.retain(|_, copy| !copy.starts_with(root));
    }
}

/// A view that is being laid out.
struct Layout<'a> {
    root: PathBuf,
    mounts: BTreeSet<PathBuf>,
    /// Files of the host that are in it, by their real paths.
    placed: BTreeSet<PathBuf>,
    copies: &'a mut Copies,
}

impl Layout<'_> {
    /// Folders that are always there, and `/etc`.
    fn frame(&mut self) -> io::Result<()> {
        folder(&self.root)?;
        for name in MOUNT_POINTS.into_iter().chain(["etc", "usr"]) {
            folder(&self.root.join(name))?;
        }
        for name in TOP_FOLDERS {
            // Folders of their own, or links, as the distribution has it.
            if let Ok(target) = fs::read_link(Path::new("/").join(name)) {
                symlink(target, self.root.join(name))?;
            }
        }
        for (name, text) in ETC {
            let path = self.root.join("etc").join(name);
            fs::write(&path, text)?;
            set_mode(&path, 0o444)?;
        }
        Ok(())
    }

    /// Puts a file at its place, with all that it needs to be loaded.
    fn with_needs(&mut self, path: &Path) -> io::Result<()> {
        let mut open = vec![path.to_owned()];
        while let Some(path) = open.pop() {
            let Some(real) = self.place(&path)? else { continue };
            let Some(needs) = elf::needs(&real)? else { continue };
            open.extend(needs.loader);
            let origin = real.parent().unwrap_or(Path::new("/"));
            let folders: Vec<PathBuf> = needs.folders.iter().map(|folder| expand(folder, origin)).collect();
            for library in needs.libraries {
                open.extend(self.find(&library, &folders)?);
            }
        }
        Ok(())
    }

    /// A library by its name, if the host has it.
    fn library(&mut self, name: &Path, folders: &[PathBuf]) -> io::Result<()> {
        match self.find(name, folders)? {
            Some(path) => self.with_needs(&path),
            None => Ok(()),
        }
    }

    /// Where a library is. One that the loader finds only through its cache gets a name in a folder where it looks anyway.
    fn find(&mut self, name: &Path, folders: &[PathBuf]) -> io::Result<Option<PathBuf>> {
        let fits = |path: &PathBuf| matches!(elf::needs(path), Ok(Some(_)));
        if name.is_absolute() {
            return Ok(Some(name.to_owned()).filter(fits));
        }
        let usual = || LIBRARY_FOLDERS.iter().map(PathBuf::from);
        if let Some(path) = folders.iter().cloned().chain(usual()).map(|folder| folder.join(name)).find(fits) {
            return Ok(Some(path));
        }
        let Some(path) = configured_folders().into_iter().map(|folder| folder.join(name)).find(fits) else {
            return Ok(None);
        };
        if let Some(folder) = usual().find(|folder| folder.join("libc.so.6").exists()) {
            let link = self.inside(&folder.canonicalize()?).join(name);
            make_parent(&self.root, &link)?;
            link_to(&path.canonicalize()?, &link)?;
        }
        Ok(Some(path))
    }

    /// Puts a file at its place and, where that is a link, the link as well. Returns where it really is, if it was not there.
    fn place(&mut self, path: &Path) -> io::Result<Option<PathBuf>> {
        let real = path.canonicalize()?;
        let parent = path.parent().unwrap_or(Path::new("/")).canonicalize()?;
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let named = parent.join(name);
        if named != real {
            let link = self.inside(&named);
            make_parent(&self.root, &link)?;
            link_to(&real, &link)?;
        }
        if !self.placed.insert(real.clone()) {
            return Ok(None);
        }

        let place = self.inside(&real);
        make_parent(&self.root, &place)?;
        let found = real.metadata()?;
        if found.len() > COPIED_BYTES {
            File::create(&place)?;
            self.mounts.insert(real.clone());
            return Ok(Some(real));
        }
        if let Some(copy) = self.copies.0.get(&real)
            && fs::hard_link(copy, &place).is_ok()
        {
            return Ok(Some(real));
        }
        fs::copy(&real, &place)?;
        set_mode(&place, if found.mode() & 0o111 == 0 { 0o444 } else { 0o555 })?;
        self.copies.0.insert(real.clone(), place);
        Ok(Some(real))
    }

    /// All files below a folder, if the host has it.
    fn tree(&mut self, folder: &Path) -> io::Result<()> {
        let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                self.tree(&path)?;
            } else if path.is_file() {
                self.place(&path)?;
            }
        }
        Ok(())
    }

    /// A whole folder of the host.
    fn mount(&mut self, path: &Path) -> io::Result<()> {
        let real = path.canonicalize()?;
        folder_below(&self.root, &self.inside(&real))?;
        self.mounts.insert(real);
        Ok(())
    }

    /// Python's own modules, and the libraries that they need. Modules that others have installed are not there.
    fn python(&mut self, interpreter: &Path) -> io::Result<()> {
        let real = interpreter.canonicalize()?;
        let prefix = real.parent().and_then(Path::parent).unwrap_or(Path::new("/usr"));
        let versions = || {
            let names = ["lib", "lib64"].into_iter().filter_map(|lib| fs::read_dir(prefix.join(lib)).ok()).flatten();
            names.filter_map(|entry| Some(entry.ok()?.path()))
        };
        let holds_modules = |path: &PathBuf| path.join("os.py").exists();
        // `python3.11` has `lib/python3.11`; where the program's name is `python3` only, there is one version.
        let own = |path: &PathBuf| path.file_name() == real.file_name();
        let mut folders: Vec<PathBuf> = versions().filter(|path| own(path) && holds_modules(path)).collect();
        if folders.is_empty() {
            let named =
                |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"python3"));
            folders = versions().filter(|path| named(path) && holds_modules(path)).collect();
        }
        for folder in folders {
            self.mount(&folder)?;
            for module in fs::read_dir(folder.join("lib-dynload")).into_iter().flatten() {
                self.needs_of(&module?.path())?;
            }
        }
        Ok(())
    }

    /// What some distributions keep outside of node's program, then in a library.
    fn node(&mut self) -> io::Result<()> {
        let in_library =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libnode."));
        if self.placed.iter().any(in_library) {
            for part in NODE_PARTS {
                self.tree(&Path::new(NODE_PARTS_FOLDER).join(part))?;
            }
        }
        Ok(())
    }

    /// What the language's settings name.
    fn sight(&mut self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            self.mount(path)?;
            self.libraries_in(path)
        } else if path.is_file() {
            self.with_needs(path)
        } else {
            Ok(())
        }
    }

    /// What the libraries in a folder need.
    fn libraries_in(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // Of the entry itself: nobody walks in circles.
            if entry.file_type()?.is_dir() {
                self.libraries_in(&entry.path())?;
            } else if is_library(&entry.path()) {
                self.needs_of(&entry.path())?;
            }
        }
        Ok(())
    }

    /// What a library needs, without the library itself.
    fn needs_of(&mut self, path: &Path) -> io::Result<()> {
        let Ok(Some(needs)) = elf::needs(path) else { return Ok(()) };
        let origin = path.parent().unwrap_or(Path::new("/"));
        let search: Vec<PathBuf> = needs.folders.iter().map(|folder| expand(folder, origin)).collect();
        for library in needs.libraries {
            self.library(&library, &search)?;
        }
        Ok(())
    }

    /// The place of an absolute path of the host.
    fn inside(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// Whether programs in a folder can be started by the sandbox's users.
fn usable(place: &Path) -> io::Result<()> {
    if statvfs(place)?.flags().contains(FsFlags::ST_NOEXEC) {
        return Err(io::Error::other("programs cannot be started from there (noexec)"));
    }
    // As root the worker becomes somebody else for the sandbox.
    let closed = |folder: &&Path| folder.metadata().is_ok_and(|found| found.mode() & 0o001 == 0);
    match place.canonicalize()?.ancestors().find(closed) {
        Some(folder) if Uid::effective().is_root() => {
            Err(io::Error::other(format!("other users cannot enter {}", folder.display())))
        }
        _ => Ok(()),
    }
}

/// Whether a file is a library by its name: `x.so`, `x.so.1`.
fn is_library(path: &Path) -> bool {
    path.file_name().is_some_and(|name| {
        let name = name.to_string_lossy();
        name.ends_with(".so") || name.contains(".so.")
    })
}

/// Removes folders that nobody uses any more.
fn clean_up(place: &Path) {
    let own = Uid::effective().as_raw();
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let path = entry.path();
        // Everybody may make folders there; only what is ours is ours to remove.
        let ours = entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes())
            && path.symlink_metadata().is_ok_and(|found| found.is_dir() && found.uid() == own);
        let Some(folder) = ours.then(|| File::open(&path).ok()).flatten() else { continue };
        match folder.try_lock() {
            Ok(()) => {
                if let Err(error) = fs::remove_dir_all(&path) {
                    tracing::warn!(%error, folder = %path.display(), "an ended worker's folder cannot be removed");
                }
            }
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

/// Folders of the loader's configuration, included files too (ldconfig(8)).
fn configured_folders() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("/etc/ld.so.conf")];
    files.extend(fs::read_dir("/etc/ld.so.conf.d").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())));
    files[1..].sort();
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect::<Vec<_>>();
    let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
    lines.filter(|line| line.starts_with('/')).map(PathBuf::from).collect()
}

fn expand(folder: &str, origin: &Path) -> PathBuf {
    let origin = origin.to_string_lossy();
    PathBuf::from(folder.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin))
}

fn link_to(target: &Path, link: &Path) -> io::Result<()> {
    match symlink(target, link) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}

fn make_parent(root: &Path, path: &Path) -> io::Result<()> {
    folder_below(root, path.parent().unwrap_or(root))
}

/// Makes a folder and those above it, up to a root.
fn folder_below(root: &Path, path: &Path) -> io::Result<()> {
    if path == root || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        folder_below(root, parent)?;
    }
    folder(path)
}

/// A folder that everybody may enter, whatever the worker's umask is.
fn folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    set_mode(path, 0o755)
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

//! A VFS of SQLite above that of the system, <https://www.sqlite.org/vfs.html>. It hands every call on, and tells the
//! records of [`crate::disk`] what becomes of files; nothing of them is synced.
//!
//! ```text
//!  sqlite3_file as SQLite has it:  │ File: our methods, what we know │ the system's file: its methods, what it knows │
//! ```

use crate::{
    Call,
    disk::{self, OpenFile},
};
use libsqlite3_sys::{
    SQLITE_IOERR, SQLITE_OK, SQLITE_OPEN_CREATE, SQLITE_OPEN_MAIN_JOURNAL, SQLITE_OPEN_SUPER_JOURNAL, SQLITE_OPEN_WAL,
    sqlite3_file, sqlite3_filename, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find,
    sqlite3_vfs_register,
};
use std::{
    ffi::{CStr, OsStr, c_char, c_int, c_void},
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr,
    sync::OnceLock,
};

const C_NAME: &CStr = c"peerwright-disk";
pub(crate) const NAME: &str = "peerwright-disk";

/// The system's VFS.
struct System(*mut sqlite3_vfs);

// SAFETY: SQLite never frees or moves its own VFS, nobody writes to it, and its functions may be called by any thread.
unsafe impl Send for System {}
// SAFETY: as above.
unsafe impl Sync for System {}

static SYSTEM: OnceLock<System> = OnceLock::new();

/// Makes the VFS known to SQLite, once.
pub(crate) fn register() {
    SYSTEM.get_or_init(|| {
        // SAFETY: no name asks for the default, which SQLite has made once this returns and which stays for ever.
        let system = unsafe { sqlite3_vfs_find(ptr::null()) };
        // SAFETY: it is not null where SQLite has a default, as everywhere on Linux; the struct is plain data.
        let mut own = unsafe { *system };
        own.szOsFile += c_int::try_from(size_of::<File>()).unwrap();
        own.zName = C_NAME.as_ptr();
        own.pNext = ptr::null_mut();
        own.xOpen = Some(open);
        own.xDelete = Some(delete);
        // All others stay the system's: they look at nothing of the VFS that they are handed but what was copied.
        // SAFETY: the struct is complete and stays for ever.
        let registered = unsafe { sqlite3_vfs_register(Box::leak(Box::new(own)), 0) };
        assert_eq!(registered, SQLITE_OK);
        System(system)
    });
}

/// What stands in front of the system's file.
#[repr(C)]
struct File {
    head: sqlite3_file,
    /// `None` outside of recorded folders.
    open: Option<Box<OpenFile>>,
}

/// Version 2: with shared memory, without mapped files, which would be written unseen.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// The path that SQLite means.
///
/// # Safety
/// `name` is null or a string that stays while it is used.
unsafe fn path<'n>(name: *const c_char) -> Option<&'n Path> {
    // SAFETY: by the contract of this function.
    (!name.is_null()).then(|| Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes())))
}

/// The system's file behind ours.
fn behind(file: *mut sqlite3_file) -> *mut sqlite3_file {
    file.wrapping_byte_add(size_of::<File>())
}

/// The system's file behind ours, and its methods.
///
/// # Safety
/// `file` was opened by [`open`] and not closed since.
unsafe fn below(file: *mut sqlite3_file) -> (*mut sqlite3_file, &'static sqlite3_io_methods) {
    let file = behind(file);
    // SAFETY: the system's VFS has opened it, so its methods are a table that it never frees.
    (file, unsafe { &*(*file).pMethods })
}

/// What we know of a file.
///
/// # Safety
/// As for [`below`]; nothing else refers to it: SQLite uses a file from one thread at a time.
unsafe fn known<'f>(file: *mut sqlite3_file) -> Option<&'f mut OpenFile> {
    // SAFETY: [`open`] has made a `File` there, and by the contract of this function it is ours alone.
    unsafe { (*file.cast::<File>()).open.as_deref_mut() }
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    let Some(system) = SYSTEM.get() else { return SQLITE_IOERR };
    let inner = behind(file);
    // SAFETY: SQLite gives `szOsFile` bytes, which are ours and then the system's, and a name that stays until the file
    // is closed. Before anything is written there, both are without methods, so that a failure closes nothing.
    let outcome = unsafe {
        file.cast::<File>().write(File { head: sqlite3_file { pMethods: ptr::null() }, open: None });
        (*inner).pMethods = ptr::null();
        let Some(open) = (*system.0).xOpen else { return SQLITE_IOERR };
        open(system.0, name, inner, flags, flags_out)
    };
    // SAFETY: as above.
    let (recorded, opened) = unsafe { (path(name).and_then(disk::find), !(*inner).pMethods.is_null()) };
    if !opened {
        return outcome;
    }
    let new_journal = flags & SQLITE_OPEN_CREATE != 0
        && flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL) != 0;
    let open = recorded.filter(|_| outcome == SQLITE_OK).map(|(record, name)| {
        let mut known = record.lock();
        let file = known.open(name);
        let told = known.failures(file);
        drop(known);
        Box::new(OpenFile { record, file, told, sync_names: new_journal })
    });
    // SAFETY: it holds the `File` of above. SQLite closes what has methods, also after a failure.
    unsafe { file.cast::<File>().write(File { head: sqlite3_file { pMethods: &raw const METHODS }, open }) };
    outcome
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync_names: c_int) -> c_int {
    let Some(system) = SYSTEM.get() else { return SQLITE_IOERR };
    // SAFETY: SQLite gives a string that stays until this returns; the system's VFS stays for ever.
    let (recorded, delete) = unsafe { (path(name).and_then(disk::find), (*system.0).xDelete) };
    let Some(delete) = delete else { return SQLITE_IOERR };
    let Some((record, file)) = recorded else {
        // SAFETY: as above.
        return unsafe { delete(system.0, name, sync_names) };
    };
    let mut record = record.lock();
    // SAFETY: as above.
    let outcome = unsafe { delete(system.0, name, 0) };
    if outcome == SQLITE_OK {
        record.removed(file);
        if sync_names & 1 != 0 {
            record.names_synced();
        }
    }
    outcome
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes an open file once, and uses it no more. What is dropped here is what `open` has made.
    unsafe {
        let (inner, methods) = below(file);
        let outcome = methods.xClose.map_or(SQLITE_IOERR, |close| close(inner));
        file.cast::<File>().drop_in_place();
        outcome
    }
}

unsafe extern "C" fn read(file: *mut sqlite3_file, bytes: *mut c_void, length: c_int, offset: sqlite3_int64) -> c_int {
    // SAFETY: SQLite reads from an open file; `known` is used no longer than this line.
    let refused = unsafe { known(file) }.and_then(|open| open.record.lock().strike(Call::Read, false));
    // SAFETY: as above; what it gives for the bytes is handed on as it is.
    refused.unwrap_or_else(|| unsafe {
        let (inner, methods) = below(file);
        methods.xRead.map_or(SQLITE_IOERR, |read| read(inner, bytes, length, offset))
    })
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite writes to an open file `length` bytes that stay until this returns.
    let (open, (inner, methods), given) = unsafe {
        let given = std::slice::from_raw_parts(bytes.cast::<u8>(), usize::try_from(length).unwrap());
        (known(file), below(file), given)
    };
    let Some(write) = methods.xWrite else { return SQLITE_IOERR };
    let on = |bytes: &[u8]| {
        let length = c_int::try_from(bytes.len()).unwrap();
        // SAFETY: these bytes are the first of those that SQLite has given.
        unsafe { write(inner, bytes.as_ptr().cast(), length, offset) }
    };
    match open {
        Some(open) => open.record.lock().write(open.file, usize::try_from(offset).unwrap(), given, on),
        None => on(given),
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    // SAFETY: SQLite truncates an open file.
    let (open, (inner, methods)) = unsafe { (known(file), below(file)) };
    let Some(truncate) = methods.xTruncate else { return SQLITE_IOERR };
    // SAFETY: as above.
    let on = || unsafe { truncate(inner, size) };
    match open {
        Some(open) => open.record.lock().truncate(open.file, usize::try_from(size).unwrap(), on),
        None => on(),
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite syncs an open file.
    let (open, (inner, methods)) = unsafe { (known(file), below(file)) };
    match open {
        Some(open) => open.record.lock().sync(open.file, &mut open.told, &mut open.sync_names),
        // SAFETY: as above.
        None => methods.xSync.map_or(SQLITE_IOERR, |sync| unsafe { sync(inner, flags) }),
    }
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    memory: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite maps the memory that belongs to an open file; what it gives is handed on as it is.
    unsafe {
        let (inner, methods) = below(file);
        let Some(map) = methods.xShmMap else { return SQLITE_IOERR };
        let outcome = map(inner, region, size, 0, memory);
        if outcome != SQLITE_OK || !(*memory).is_null() || extend == 0 {
            return outcome;
        }
        let refused = known(file).and_then(|open| open.record.lock().strike(Call::GrowIndex, true));
        refused.unwrap_or_else(|| map(inner, region, size, extend, memory))
    }
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: SQLite has mapped memory that belongs to an open file.
    unsafe {
        let (inner, methods) = below(file);
        if let Some(barrier) = methods.xShmBarrier {
            barrier(inner);
        }
    }
}

/// A method that is the system's.
macro_rules! hand_on {
    ($name:ident, $method:ident $(, $argument:ident: $kind:ty)*) => {
        unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $argument: $kind)*) -> c_int {
            // SAFETY: SQLite calls it for an open file, and what it gives is handed on as it is.
            unsafe {
                let (inner, methods) = below(file);
                methods.$method.map_or(SQLITE_IOERR, |method| method(inner $(, $argument)*))
            }
        }
    };
}

hand_on!(file_size, xFileSize, size: *mut sqlite3_int64);
hand_on!(lock, xLock, level: c_int);
hand_on!(unlock, xUnlock, level: c_int);
hand_on!(check_reserved_lock, xCheckReservedLock, is_reserved: *mut c_int);
hand_on!(file_control, xFileControl, operation: c_int, argument: *mut c_void);
hand_on!(sector_size, xSectorSize);
hand_on!(device_characteristics, xDeviceCharacteristics);
hand_on!(shm_lock, xShmLock, offset: c_int, count: c_int, flags: c_int);
hand_on!(shm_unmap, xShmUnmap, remove: c_int);

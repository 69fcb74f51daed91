//! How this process takes memory from the system.
#![allow(
    unsafe_code,
    reason = "glibc's allocator has no other interface; the call takes two numbers"
)]

/// Lets freed memory go back to the system; to be called before the first thread starts.
///
/// glibc gives threads arenas of their own, up to eight a core, and keeps in each what is freed there. Here buffers are
/// made by the Kafka client's threads and freed by others, so that a process holds several times what it uses. It also
/// moves the size from which a buffer is mapped alone, and goes back when it is freed, up to 32 MiB.
/// See <https://man7.org/linux/man-pages/man3/mallopt.3.html>. Nothing happens with other C libraries.
pub fn keep_memory_small() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (what, value) in [
        (libc::M_ARENA_MAX, 2),
        (libc::M_MMAP_THRESHOLD, 256 << 10),
        (libc::M_TRIM_THRESHOLD, 512 << 10),
    ] {
        // SAFETY: any two numbers may be given; what is not understood is refused by the answer 0, and changes nothing.
        unsafe { libc::mallopt(what, value) };
    }
}

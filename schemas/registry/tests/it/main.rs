//! Both registries against the contract; the one over HTTP with a real registry behind it.

mod file;
mod http;
mod tls;

/// The schemas that are checked in.
fn product_schemas() -> Vec<String> {
    let folder = "../avro";
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("schemas/avro is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "avsc"))
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read_to_string(file).expect("readable"))
        .collect()
}

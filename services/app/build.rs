//! Prepares what the page is sent from: the assets, named after their content, and the constant parts of the page and
//! the OpenAPI description, all compressed. So nothing is compressed while a client waits, and the program contains
//! no compressor.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::{Compress, Compression, FlushCompress, GzBuilder, Status};

/// Assets: the stem and the extension of the name, the media type, and the source files, which are concatenated.
const ASSETS: [(&str, &str, &str, &[&str]); 3] = [
    ("page", "css", "text/css; charset=utf-8", &["page.css"]),
    (
        "page",
        "js",
        "text/javascript; charset=utf-8",
        &["bounds.js", "figures.js", "zones.js", "asking.js", "page.js"],
    ),
    ("icon", "svg", "image/svg+xml", &["icon.svg"]),
];

/// The OpenAPI description, relative to the source of the page.
const OPENAPI: &str = "../../../../../contract/openapi.json";

/// Shorter parts of the page are not compressed: the code table would be as long as the text.
const SHORTEST: usize = 80;

fn main() {
    let crate_root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let source = crate_root.join("src/page/web");
    let openapi = source.join(OPENAPI);
    for input in [&source, &openapi] {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    let sources = ["services/app", "contract/openapi.json", "Cargo.toml", "Cargo.lock"];
    println!("{}", source_version::directives(&crate_root.join("../.."), &sources));
    let made = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));

    let mut page = bare(&read(&source.join("index.html")))
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@SOURCE@", &source_link(env!("CARGO_PKG_REPOSITORY")));
    let mut code = String::from("static ASSETS: [Asset; 3] = [\n");
    for (stem, ending, media_type, files) in ASSETS {
        let text: String = files.iter().map(|file| bare(&read(&source.join(file)))).collect();
        let path = format!("/assets/{stem}-{}.{ending}", hash(text.as_bytes()));
        page = page.replace(&format!("@{stem}.{ending}@"), &path);
        let file = write_file(&made, &format!("{stem}.{ending}"), media_type, &text);
        writeln!(code, "Asset {{ stem: {stem:?}, ending: {ending:?}, file: {file} }},")
            .expect("a string can be written to");
    }
    let openapi = write_file(&made, "openapi.json", "application/json", &read(&openapi));
    writeln!(code, "];\nstatic OPENAPI: StaticFile = {openapi};").expect("a string can be written to");
    fs::write(made.join("files.rs"), code).expect("a file can be written to OUT_DIR");
    fs::write(made.join("page.rs"), pieces(&page)).expect("a file can be written to OUT_DIR");
}

/// Where the source code is, if the package says so.
fn source_link(repository: &str) -> String {
    let license = "Apache License 2.0";
    if repository.is_empty() {
        format!("Open source, {license}")
    } else {
        format!("<a href=\"{repository}\">Source code</a>, {license}")
    }
}

/// Writes a file in all codings, and returns it as a Rust expression.
fn write_file(made: &Path, name: &str, media_type: &str, text: &str) -> String {
    let write = |more: &str, bytes: &[u8]| {
        fs::write(made.join(format!("{name}{more}")), bytes).expect("a file can be written to OUT_DIR");
        format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}{more}\"))")
    };
    let bytes = text.as_bytes();
    format!(
        "StaticFile {{ tag: {:?}, media_type: {media_type:?}, plain: {}, gzip: {}, brotli: {} }}",
        hash(bytes),
        write("", bytes),
        write(".gz", &gzip(bytes)),
        write(".br", &brotli(bytes)),
    )
}

/// Splits the page at its placeholders, such as `@TIME@`, and compresses the text between them.
fn pieces(page: &str) -> String {
    let mut code = String::from("const PAGE: &[TemplatePart] = &[\n");
    for (number, piece) in page.split('@').enumerate() {
        // Every second part is the name of a placeholder. A stray @ would shift them, and the name would not exist.
        if number % 2 == 1 {
            let mut name = String::new();
            for word in piece.split('_') {
                name.push_str(&word[..1]);
                name.push_str(&word[1..].to_lowercase());
            }
            writeln!(code, "TemplatePart::Value(Placeholder::{name}),").expect("a string can be written to");
        } else {
            let packed = if piece.len() < SHORTEST { Vec::new() } else { deflate(piece.as_bytes()) };
            writeln!(code, "TemplatePart::Text {{ plain: {piece:?}, deflated: &{packed:?} }},")
                .expect("a string can be written to");
        }
    }
    code.push_str("];\n");
    code
}

/// Removes what only readers of the source need: indentation, empty lines, and comments.
///
/// It does not parse the language. A comment must be on lines of its own: after `//` in JavaScript, and in CSS from a
/// `/*` that starts a line to a `*/` that ends one. No other text may start a line with these.
fn bare(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut in_comment = false;
    for line in text.split_inclusive('\n').map(str::trim_start) {
        in_comment |= line.starts_with("/*");
        if in_comment {
            in_comment = !line.trim_end().ends_with("*/");
        } else if !line.is_empty() && !line.starts_with("//") {
            kept.push_str(line);
        }
    }
    kept
}

/// Twelve hexadecimal digits that change with the content (FNV-1a). Collisions by intent do not matter: the content
/// is our own.
fn hash(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{:012x}", hash >> 16)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    // Without a time stamp, so that builds are reproducible.
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("a vector can be written to");
    encoder.finish().expect("a vector can be written to")
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut encoder = brotli::CompressorWriter::new(&mut packed, 4096, 11, 22);
    encoder.write_all(bytes).expect("a vector can be written to");
    drop(encoder);
    packed
}

/// DEFLATE blocks that end on a whole byte and refer to nothing before them, so that they can be put anywhere.
fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(bytes.len() + 64);
    let status = Compress::new(Compression::best(), false)
        .compress_vec(bytes, &mut packed, FlushCompress::Sync)
        .expect("the compressor takes any bytes");
    assert!(status == Status::Ok && packed.ends_with(&[0, 0, 0xff, 0xff]), "it was given room for all of it");
    packed
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

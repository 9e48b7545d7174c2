//! Pictures of a display, for the docs: taken by the stories where `SUBLET_PICTURES=docs` is set, as those of the
//! pages are.

use crate::screen::Screen;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use std::io::Write;
use std::path::Path;
use x11rb::protocol::xproto::{ConnectionExt as _, ImageFormat};

/// A part of a display: from the left, from the top, width, height.
pub type Part = (i16, i16, u16, u16);

impl Screen {
    /// Writes what a part of the display shows to `docs/pictures/NAME.png`, where pictures are to be renewed.
    #[track_caller]
    pub fn picture(&self, name: &str, part: Part) {
        if std::env::var("SUBLET_PICTURES").is_ok_and(|wish| wish == "docs") {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pictures");
            let path = Path::new(folder).join(name).with_extension("png");
            std::fs::write(path, self.png(part)).unwrap();
        }
    }

    fn png(&self, (x, y, width, height): Part) -> Vec<u8> {
        let image = self
            .connection
            .get_image(ImageFormat::Z_PIXMAP, self.root, x, y, width, height, !0)
            .unwrap()
            .reply()
            .unwrap();
        // Four bytes a pixel: blue, green, red, and nothing.
        let mut rows = ZlibEncoder::new(Vec::new(), Compression::best());
        for row in image.data.chunks_exact(usize::from(width) * 4) {
            let pixels = row.chunks_exact(4);
            let colours: Vec<u8> = pixels.flat_map(|bgr| [bgr[2], bgr[1], bgr[0]]).collect();
            rows.write_all(&[0]).unwrap();
            rows.write_all(&colours).unwrap();
        }
        let mut head = Vec::new();
        head.extend(u32::from(width).to_be_bytes());
        head.extend(u32::from(height).to_be_bytes());
        // Eight bits, red green blue, and nothing out of the ordinary.
        head.extend([8, 2, 0, 0, 0]);
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        chunk(&mut png, b"IHDR", &head);
        chunk(&mut png, b"IDAT", &rows.finish().unwrap());
        chunk(&mut png, b"IEND", &[]);
        png
    }
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    png.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    let mut sum = Crc::new();
    sum.update(kind);
    sum.update(data);
    png.extend(kind);
    png.extend(data);
    png.extend(sum.sum().to_be_bytes());
}

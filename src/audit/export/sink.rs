//! Where an export goes: anything that takes bytes.

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};

/// Takes an export, piece by piece.
pub trait Sink: Send {
    /// Takes the next piece.
    fn take(&mut self, bytes: Vec<u8>) -> impl Future<Output = io::Result<()>> + Send;

    /// Takes note that this was all.
    fn end(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

impl<S: Sink> Sink for &mut S {
    async fn take(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        (**self).take(bytes).await
    }

    async fn end(&mut self) -> io::Result<()> {
        (**self).end().await
    }
}

/// Packs what goes to another sink. Pieces are small, so that packing one keeps no thread for long.
pub struct Gzip<S> {
    packer: GzEncoder<Vec<u8>>,
    into: S,
}

impl<S: Sink> Gzip<S> {
    /// In front of another sink.
    pub fn new(into: S) -> Self {
        Self { packer: GzEncoder::new(Vec::new(), Compression::fast()), into }
    }
}

impl<S: Sink> Sink for Gzip<S> {
    async fn take(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        self.packer.write_all(&bytes)?;
        let packed = std::mem::take(self.packer.get_mut());
        if packed.is_empty() { Ok(()) } else { self.into.take(packed).await }
    }

    async fn end(&mut self) -> io::Result<()> {
        self.packer.try_finish()?;
        let packed = std::mem::take(self.packer.get_mut());
        self.into.take(packed).await?;
        self.into.end().await
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    struct Kept(Vec<u8>);

    impl Sink for Kept {
        async fn take(&mut self, bytes: Vec<u8>) -> io::Result<()> {
            self.0.extend(bytes);
            Ok(())
        }

        async fn end(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_is_packed_can_be_unpacked() {
        let mut kept = Kept(Vec::new());
        let mut packed = Gzip::new(&mut kept);
        for line in ["one\n", "two\n"] {
            packed.take(line.as_bytes().to_vec()).await.unwrap();
        }
        packed.end().await.unwrap();
        drop(packed);
        let mut text = String::new();
        flate2::read::GzDecoder::new(kept.0.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }
}

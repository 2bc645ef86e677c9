//! Raw bytes to a part of a deflate stream.

use std::io;

use super::piece::Piece;
use crate::archive::deflater::Deflater;

/// Deflates a piece in place. It ends on a whole byte; if it is the text's last, the stream ends.
pub(super) fn pack(deflater: &mut Deflater, mut piece: Piece) -> io::Result<Piece> {
    deflater.begin(&piece.dictionary, piece.len())?;
    for chunk in piece.chunks().filter(|chunk| !chunk.is_empty()) {
        deflater.feed(chunk)?;
    }
    let packed = deflater.end(piece.last)?;
    piece.replace(packed);
    Ok(piece)
}

//! Three-part positions: time, height and width of each token, as M-RoPE rotates by them.

/// The positions of one sequence without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RopeIndex {
    /// `[3][tokens]`: position in time, height and width. Text has the same number in all three.
    pub positions: [Vec<u32>; 3],
    /// What is added to a token's index to get its position while decoding: `max(positions) + 1 - tokens`.
    /// 0 for text; below 0 with pictures, which take fewer positions than tokens.
    pub delta: i64,
}

/// A sequence whose picture tokens are not those of its pictures.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RopeIndexError {
    /// More runs of picture tokens than pictures, or fewer.
    #[error("the tokens stand for {found} pictures and there are {given}")]
    Pictures {
        /// Runs of picture tokens.
        found: usize,
        /// Grids.
        given: usize,
    },
    /// A run of picture tokens has another length than the picture's grid.
    #[error("picture {picture} takes {expected} tokens and has {found}")]
    Tokens {
        /// Which picture, from 0.
        picture: usize,
        /// Tokens that its grid asks for.
        expected: usize,
        /// Tokens in the sequence.
        found: usize,
    },
    /// A grid that is empty, too large, or not divisible into merged squares.
    #[error(
        "picture {picture} has {grid:?} patches (time, height, width), which squares of {merge} × {merge} do not cover"
    )]
    Grid {
        /// Which picture, from 0.
        picture: usize,
        /// Its patches.
        grid: [usize; 3],
        /// Patches along each side of a merged square.
        merge: usize,
    },
}

/// Tokens that stand for a picture of `grid` patches (time, height, width) when `merge × merge` of them become one token.
///
/// None for a grid that is empty, that the squares do not cover, or that has more than 2³¹ patches.
pub fn picture_tokens(grid: [usize; 3], merge: usize) -> Option<usize> {
    let [time, height, width] = grid;
    let patches = time.checked_mul(height)?.checked_mul(width)?;
    let fits = merge > 0 && patches > 0 && patches <= 1 << 31;
    (fits && height.is_multiple_of(merge) && width.is_multiple_of(merge)).then(|| patches / (merge * merge))
}

/// Positions of `tokens` in which each run of `image_token` stands for the next of `grids`.
///
/// `get_rope_index` of transformers' Qwen2-VL: text counts up by one; a picture's tokens share the position at which it starts,
/// plus row and column in merged squares; the text after it goes on behind the longer side.
pub fn rope_index(
    tokens: &[u32],
    image_token: u32,
    grids: &[[usize; 3]],
    merge: usize,
) -> Result<RopeIndex, RopeIndexError> {
    let mut positions = [const { Vec::new() }; 3];
    for row in &mut positions {
        row.reserve_exact(tokens.len());
    }
    let mut next = 0_u32;
    let mut picture = 0;
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] != image_token {
            for row in &mut positions {
                row.push(next);
            }
            next += 1;
            at += 1;
            continue;
        }
        let run = tokens[at..].iter().take_while(|&&token| token == image_token).count();
        let Some(&grid) = grids.get(picture) else {
            return Err(RopeIndexError::Pictures { found: picture + 1, given: grids.len() });
        };
        let expected = picture_tokens(grid, merge).ok_or(RopeIndexError::Grid { picture, grid, merge })?;
        if run != expected {
            return Err(RopeIndexError::Tokens { picture, expected, found: run });
        }
        let [time, height, width] = [grid[0] as u32, (grid[1] / merge) as u32, (grid[2] / merge) as u32];
        for t in 0..time {
            for y in 0..height {
                for x in 0..width {
                    for (row, offset) in positions.iter_mut().zip([t, y, x]) {
                        row.push(next + offset);
                    }
                }
            }
        }
        next += height.max(width);
        picture += 1;
        at += run;
    }
    if picture != grids.len() {
        return Err(RopeIndexError::Pictures { found: picture, given: grids.len() });
    }
    let end = positions.iter().flatten().max().map_or(0, |&last| i64::from(last) + 1);
    Ok(RopeIndex { positions, delta: end - tokens.len() as i64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: u32 = 9;

    #[test]
    fn text_counts_up() {
        let index = rope_index(&[5, 6, 7], IMAGE, &[], 2).unwrap();
        assert_eq!(index, RopeIndex { positions: [vec![0, 1, 2], vec![0, 1, 2], vec![0, 1, 2]], delta: 0 });
    }

    #[test]
    fn a_picture_takes_as_many_positions_as_its_longer_side() {
        // One token, a picture of 4 × 6 patches (2 × 3 squares), one token: the last stands at 1 + 3.
        let tokens = [5, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, 6];
        let index = rope_index(&tokens, IMAGE, &[[1, 4, 6]], 2).unwrap();
        assert_eq!(index.positions[0], [0, 1, 1, 1, 1, 1, 1, 4]);
        assert_eq!(index.positions[1], [0, 1, 1, 1, 2, 2, 2, 4]);
        assert_eq!(index.positions[2], [0, 1, 2, 3, 1, 2, 3, 4]);
        assert_eq!(index.delta, 5 - 8);
    }

    #[test]
    fn tokens_that_do_not_match_the_pictures_are_errors() {
        let check = |tokens: &[u32], grids: &[[usize; 3]], expected| {
            assert_eq!(rope_index(tokens, IMAGE, grids, 2), Err(expected));
        };
        check(&[IMAGE], &[], RopeIndexError::Pictures { found: 1, given: 0 });
        check(&[5], &[[1, 2, 2]], RopeIndexError::Pictures { found: 0, given: 1 });
        check(&[IMAGE, IMAGE], &[[1, 2, 2]], RopeIndexError::Tokens { picture: 0, expected: 1, found: 2 });
        check(&[IMAGE], &[[1, 3, 2]], RopeIndexError::Grid { picture: 0, grid: [1, 3, 2], merge: 2 });
        let huge = [usize::MAX, 2, 2];
        check(&[IMAGE], &[huge], RopeIndexError::Grid { picture: 0, grid: huge, merge: 2 });
    }

    #[test]
    fn no_tokens_have_no_positions() {
        assert_eq!(rope_index(&[], IMAGE, &[], 2).unwrap().delta, 0);
    }
}

//! Parts of pictures that keep to cells of 16 px, so that an icon or a two-digit number is one visual token of the
//! nano model and every letter has patches of its own.

use embedded_graphics::{Pixel, draw_target::DrawTarget, geometry::Point, pixelcolor::Rgb888};

use super::canvas::{COLOURS, Canvas, Colour, FAINT, Font, INK, PAPER};

/// Side of a cell in pixels: two patches of 8 px, merged.
pub(super) const CELL: f32 = 16.0;

/// Large dark text from a corner on, one letter per 8 × 16 px. Corners at multiples of 8 keep letters inside patches.
pub(super) fn text(canvas: &mut Canvas, x: f32, y: f32, text: &str) {
    let mut buffer = [0; 4];
    for (at, letter) in text.chars().enumerate() {
        canvas.text(x + 8.0 * at as f32, y + 1.0, letter.encode_utf8(&mut buffer), Font::Large, INK);
    }
}

/// Large dark text with its middle as near to a point as the grid of 8 px allows, wholly inside the picture.
pub(super) fn text_near(canvas: &mut Canvas, x: f32, y: f32, label: &str) {
    let width = 8.0 * label.chars().count() as f32;
    let snap = |at: f32, most: f32| ((at / 8.0).round() * 8.0).clamp(0.0, most);
    let (right, bottom) = (canvas.width() as f32 - width, canvas.height() as f32 - CELL);
    text(canvas, snap(x - width / 2.0, right), snap(y - CELL / 2.0, bottom), label);
}

/// The animals among the icons.
pub(super) const ANIMALS: [&str; 8] = ["bee", "bird", "crab", "duck", "fish", "fox", "owl", "pig"];

/// The weathers among the icons.
pub(super) const WEATHERS: [&str; 5] = ["sun", "rain", "snow", "wind", "storm"];

/// Everything that a poster can list; no two words share half of their letters in place.
pub(super) const ITEMS: [&str; 14] =
    ["bee", "bird", "crab", "duck", "fish", "fox", "owl", "pig", "tea", "key", "book", "sun", "egg", "star"];

/// The icon called `name`, in the cell with its corner at a whole point.
pub(super) fn icon(canvas: &mut Canvas, name: &str, x: f32, y: f32) {
    let rows = ICONS.iter().find(|(known, _)| *known == name).expect("only names of `ICONS` are asked for").1;
    let pixels = rows.iter().zip(2..).flat_map(|(row, down)| {
        row.bytes().zip(2..).filter(|(letter, _)| *letter != b'.').map(move |(letter, right)| {
            let Colour(r, g, b) = ink(letter);
            Pixel(Point::new(x as i32 + right, y as i32 + down), Rgb888::new(r, g, b))
        })
    });
    let Ok(()) = canvas.draw_iter(pixels);
}

fn ink(letter: u8) -> Colour {
    match letter {
        b'k' => INK,
        b'w' => PAPER,
        b's' => FAINT,
        b'o' => Colour(245, 130, 20),
        b'n' => Colour(135, 85, 40),
        b'm' => Colour(245, 140, 170),
        b'c' => Colour(60, 190, 220),
        _ => COLOURS.iter().find(|(name, _)| name.as_bytes()[0] == letter).expect("icons use known inks").1,
    }
}

/// Twelve rows of twelve inks; `.` is see-through, other letters are listed in [`ink`].
const ICONS: [(&str, [&str; 12]); 18] = [
    (
        "bee",
        [
            "...ss..ss...",
            "..swws.sws..",
            "...swwsws...",
            "..kkkkkkkk..",
            ".kyykyykyyk.",
            "kyyykyykyykk",
            "kykykyykyykk",
            "kyyykyykyykk",
            ".kyykyykyyk.",
            "..kkkkkkkk..",
            "...k..k.k...",
            "............",
        ],
    ),
    (
        "bird",
        [
            "......kkk...",
            ".....kgggk..",
            ".....ggwkgk.",
            "k....ggggyyy",
            "kk..gggggk..",
            "kgkggggggk..",
            "kgggkkgggk..",
            ".kggkkkggk..",
            "..kgggggk...",
            "...kkkkk....",
            "....o.o.....",
            "...oo.oo....",
        ],
    ),
    (
        "crab",
        [
            "rr.r....r.rr",
            "rrrr....rrrr",
            ".rr.k..k.rr.",
            "..r.k..k.r..",
            "..rrrrrrrr..",
            ".rrrrrrrrrr.",
            "rrrrkrrkrrrr",
            ".rrrrkkrrrr.",
            "..rrrrrrrr..",
            ".r.r.rr.r.r.",
            "r..r....r..r",
            "...r....r...",
        ],
    ),
    (
        "duck",
        [
            "....kkkk....",
            "...kyyyyk...",
            "...kyykyk...",
            "..ooyyyyk...",
            ".oooyyyyk...",
            "...kyyyyk..k",
            "..kyyyyyykky",
            ".kyyyyyyyyyk",
            ".kyyyykkyyyk",
            "..kyyyyyyyk.",
            "bbbkkkkkkbbb",
            ".bbbbbbbbbb.",
        ],
    ),
    (
        "fish",
        [
            "............",
            "....kkkk....",
            "..kkbbbbk..k",
            ".kbbbbbbbkkb",
            "kbwkbbcbbbbb",
            "kbwkbbcbbbbk",
            "kbbbbbcbbbbb",
            ".kbbbbbbbkkb",
            "..kkbbbbk..k",
            "....kkkk....",
            "............",
            "............",
        ],
    ),
    (
        "fox",
        [
            "k..........k",
            "kok......kok",
            "kook....kook",
            "koookkkkoook",
            "kooooooooook",
            "kookooookook",
            "kookooookook",
            "kwwoooooowwk",
            ".kwwwoowwwk.",
            "..kwwwwwwk..",
            "...kwkkwk...",
            "....kkkk....",
        ],
    ),
    (
        "owl",
        [
            "n..........n",
            "nnn......nnn",
            "nnnnnnnnnnnn",
            "nwwwnnnnwwwn",
            "nwkkwnnwkkwn",
            "nwkkwyywkkwn",
            "nwwwnyynwwwn",
            "nnnnnnnnnnnn",
            "nnwnwnnwnwnn",
            "nnnwnwwnwnnn",
            ".nnnnnnnnnn.",
            "..yy....yy..",
        ],
    ),
    (
        "pig",
        [
            "mm........mm",
            "mmmkkkkkkmmm",
            ".kmmmmmmmmk.",
            "kmmmmmmmmmmk",
            "kmkkmmmmkkmk",
            "kmmmmmmmmmmk",
            "kmmmkkkkmmmk",
            "kmmkmkkmkmmk",
            "kmmkmkkmkmmk",
            ".kmmkkkkmmk.",
            "..kmmmmmmk..",
            "...kkkkkk...",
        ],
    ),
    (
        "tea",
        [
            "...k..k.....",
            "..k..k......",
            "...k..k.....",
            "............",
            "kkkkkkkkk...",
            "kccccccckkk.",
            "kccccccck..k",
            "kccccccck..k",
            "kccccccckkk.",
            ".kccccck....",
            "..kkkkk.....",
            "kkkkkkkkkkk.",
        ],
    ),
    (
        "key",
        [
            "............",
            "..kkkk......",
            ".kyyyyk.....",
            "kyyyyyyk....",
            "kyykkyykkkkk",
            "kyk..kyyyyyk",
            "kyk..kyyyyyk",
            "kyykkyykykyk",
            "kyyyyyykykyk",
            ".kyyyyk.k.k.",
            "..kkkk......",
            "............",
        ],
    ),
    (
        "book",
        [
            "............",
            "kkkkk..kkkkk",
            "kwwwwkkwwwwk",
            "kwsswkkwsswk",
            "kwwwwkkwwwwk",
            "kwsswkkwsswk",
            "kwwwwkkwwwwk",
            "kwsswkkwsswk",
            "kwwwwkkwwwwk",
            "rkkkkwwkkkkr",
            "rrrrrkkrrrrr",
            "............",
        ],
    ),
    (
        "sun",
        [
            "o....oo....o",
            ".o...oo...o.",
            "...kkkkkk...",
            "..kyyyyyyk..",
            "..kyyyyyyk..",
            "ookyyyyyykoo",
            "ookyyyyyykoo",
            "..kyyyyyyk..",
            "..kyyyyyyk..",
            "...kkkkkk...",
            ".o...oo...o.",
            "o....oo....o",
        ],
    ),
    (
        "egg",
        [
            "....kkkk....",
            "...kwwwwk...",
            "..kwwwwwwk..",
            "..kwwwwwwk..",
            ".kwwwwwwwwk.",
            ".kwwwwwwwwk.",
            ".kwwwwwwwwk.",
            ".kwwwwwwwwk.",
            ".kwwwwwwwwk.",
            "..kwwwwwwk..",
            "...kkwwkk...",
            ".....kk.....",
        ],
    ),
    (
        "star",
        [
            ".....pp.....",
            ".....pp.....",
            "....pppp....",
            "....pppp....",
            "pppppppppppp",
            ".pppppppppp.",
            "..pppppppp..",
            "...pppppp...",
            "..pppppppp..",
            "..ppp..ppp..",
            ".pp......pp.",
            ".p........p.",
        ],
    ),
    (
        "rain",
        [
            "...kkkkk....",
            "..kssssskk..",
            ".kssssssssk.",
            "kssssssssssk",
            "kssssssssssk",
            ".kkkkkkkkkk.",
            "............",
            "..b...b...b.",
            ".bb..bb..bb.",
            ".b...b...b..",
            "..b...b...b.",
            ".bb..bb..bb.",
        ],
    ),
    (
        "snow",
        [
            ".....bb.....",
            ".b...bb...b.",
            "..b..bb..b..",
            "...b.bb.b...",
            "....bbbb....",
            "bbbbbwwbbbbb",
            "bbbbbwwbbbbb",
            "....bbbb....",
            "...b.bb.b...",
            "..b..bb..b..",
            ".b...bb...b.",
            ".....bb.....",
        ],
    ),
    (
        "wind",
        [
            "......kkk...",
            ".....k...k..",
            ".........k..",
            "kkkkkkkkk...",
            "............",
            "kkkkkkkkkkk.",
            "...........k",
            "........k..k",
            ".........kk.",
            "kkkkkkk.....",
            ".......k....",
            ".....kk.....",
        ],
    ),
    (
        "storm",
        [
            "...kkkkk....",
            "..kkkkkkkk..",
            ".kkkkkkkkkk.",
            "kkkkkkkkkkkk",
            ".kkkkkkkkkk.",
            ".....yyy....",
            "....yyy.....",
            "...yyyyyy...",
            ".....yyy....",
            "....yyy.....",
            "...yy.......",
            "...y........",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_icon_fills_its_cell_and_differs_from_the_others() {
        let drawn = |name: &str| {
            let mut canvas = Canvas::plain(16, 16, PAPER);
            icon(&mut canvas, name, 0.0, 0.0);
            canvas
        };
        for name in ITEMS.iter().chain(&WEATHERS).chain(&ANIMALS) {
            assert_ne!(drawn(name), Canvas::plain(16, 16, PAPER), "{name}");
        }
        for (at, (name, rows)) in ICONS.iter().enumerate() {
            assert!(rows.iter().all(|row| row.len() == 12), "{name}");
            assert!(ICONS[..at].iter().all(|(other, _)| drawn(other) != drawn(name)), "{name}");
        }
    }

    #[test]
    fn a_letter_stays_inside_its_two_patches() {
        for text_at in [0.0_f32, 8.0] {
            let empty = Canvas::plain(32, 16, PAPER);
            let mut canvas = empty.clone();
            text(&mut canvas, text_at, 0.0, "W");
            let left = text_at as u32;
            for (x, y) in (0..32 * 16).map(|at| (at % 32, at / 32)) {
                assert!(canvas.pixel(x, y) == PAPER || (left..left + 8).contains(&x), "{x} {y}");
            }
        }
    }
}

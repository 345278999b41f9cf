//! Human text: names, places and sentences in several scripts, with characters that are hard for string search.

use crate::pen::{Pen, Text, put};

pub(crate) const FAMILIES: [&str; 28] = [
    "Smith",
    "Johnson",
    "Nguyen",
    "Garcia",
    "O'Brien",
    "Hansen",
    "Carreño Quiñones",
    "de la Cruz",
    "van den Berg",
    "Müller-Groß",
    "Weiß",
    "Çelik",
    "Łukasiewicz",
    "Åkesson",
    "Iвaнова",
    "Иванова",
    "Достоевский",
    "山田",
    "王",
    "김",
    "Papadopoulos",
    "Παπαδόπουλος",
    "الزهراني",
    "Zoe\u{308}s",
    "McDonald",
    "Smythe",
    "Smithson",
    "ﬁsher",
];

pub(crate) const GIVEN_F: [&str; 12] = [
    "Maria",
    "Anna",
    "Zoë",
    "Zoe\u{308}",
    "Léa",
    "Ольга",
    "花子",
    "Renée",
    "Mary-Ann",
    "Siobhán",
    "Ayşe",
    "Jane",
];

pub(crate) const GIVEN_M: [&str; 12] = [
    "John",
    "José",
    "Jose\u{301}",
    "Peter",
    "Øyvind",
    "Дмитрий",
    "太郎",
    "Jean-Luc",
    "Seán",
    "İbrahim",
    "Noël",
    "Adam",
];

pub(crate) const CITIES: [(&str, &str, &str); 10] = [
    ("Boston", "MA", "02108"),
    ("Worcester", "MA", "01608"),
    ("San José", "CA", "95112"),
    ("St. Louis", "MO", "63101"),
    ("New York", "NY", "10001-1234"),
    ("Zürich", "ZH", "8001"),
    ("Straßburg", "", "67000"),
    ("Москва", "", "101000"),
    ("東京都", "", "100-0001"),
    ("Coeur d'Alene", "ID", "83814"),
];

const SENTENCES: [&str; 14] = [
    "Patient reports mild headache since yesterday.",
    "No acute distress; follow up in two weeks.",
    "Take one tablet by mouth daily, with food.",
    "She said \"it hurts\", then left.",
    "Path C:\\temp\\labs, 50% / 100%.",
    "Line one\nLine two\tafter a tab",
    "Température élevée, fièvre à 39,5 °C",
    "Больной жалуется на боль в груди",
    "患者は頭痛を訴える。",
    "Feeling better 😀👍🏽, thanks!",
    "Family: 👩‍👩‍👧 visits daily",
    "Separator\u{2028}inside\u{2029}text",
    "Straße, GROSS, ß and ẞ; ﬀ ligature; e\u{301}\u{323} stacked marks",
    "\"status\":\"final\",\"code\":\"8302-2\",{\"resourceType\":\"Patient\"}",
];

/// Appends the inside of a string: one sentence, in a varied run of any script.
pub(crate) fn sentence(pen: &mut Pen) {
    let count = if pen.varied { SENTENCES.len() } else { 3 };
    let text = pen.rng.pick(&SENTENCES[..count]);
    put!(pen, Text(text));
}

/// A family name; Latin letters only in a regular run.
pub(crate) fn family(pen: &mut Pen) -> &'static str {
    let count = if pen.varied { FAMILIES.len() } else { 6 };
    pen.rng.pick(&FAMILIES[..count])
}

/// A given name.
pub(crate) fn given(pen: &mut Pen, female: bool) -> &'static str {
    let names = if female { &GIVEN_F } else { &GIVEN_M };
    if pen.varied {
        pen.rng.pick(names)
    } else {
        pen.rng.pick(&names[..2])
    }
}

/// Appends `length` characters of base64, a multiple of four; the content means nothing.
pub(crate) fn base64(pen: &mut Pen, length: usize) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let end = pen.out.len() + length / 4 * 4;
    while pen.out.len() < end {
        let mut bits = pen.rng.next();
        for _ in 0..8.min(end - pen.out.len()) {
            pen.out.push(DIGITS[(bits & 63) as usize]);
            bits >>= 6;
        }
    }
}

//! What may be typed into a name, a text, a program; and the bounds of a program's time.

use workroom_domain::{
    job::{Code, Timeout},
    text::{Name, Prose, TextRefused},
};

mod a_name {
    use super::*;

    #[test]
    fn is_kept_without_the_white_space_around_it() {
        for text in ["Apollo", "  Apollo  ", "\tApollo\n", "\u{a0}Apollo\u{3000}"] {
            assert_eq!(Name::parse(text).unwrap().as_str(), "Apollo", "{text:?}");
        }
        assert_eq!(Name::parse(" to  the moon ").unwrap().as_str(), "to  the moon");
    }

    #[test]
    fn takes_any_script() {
        for text in ["Ада", "阿波罗", "أبولو", "🚀", "e\u{301}tude", "👩\u{200d}🚀"] {
            assert_eq!(Name::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn must_say_something() {
        for text in ["", " ", "\t\r\n", "\u{a0}\u{2003}\u{3000}"] {
            assert_eq!(Name::parse(text), Err(TextRefused::Empty), "{text:?}");
        }
    }

    #[test]
    fn is_counted_in_characters_after_trimming() {
        let longest = "🚀".repeat(Name::LIMIT);
        assert_eq!(Name::parse(&format!("  {longest}  ")).unwrap().as_str(), longest);
        assert_eq!(Name::parse(&format!("{longest}!")), Err(TextRefused::TooLong { limit: Name::LIMIT }));
    }

    #[test]
    fn is_one_line_without_control_characters() {
        for text in ["a\nb", "a\rb", "a\tb", "a\0b", "a\u{1b}[31mb", "a\u{7f}b", "a\u{85}b"] {
            assert_eq!(Name::parse(text), Err(TextRefused::ControlCharacter), "{text:?}");
        }
    }
}

mod prose {
    use super::*;

    #[test]
    fn is_kept_as_given() {
        for text in ["", "  ", "To the moon.\r\n\tAnd back.\n", " 🚀 "] {
            assert_eq!(Prose::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn is_counted_in_characters() {
        let longest = "ü".repeat(Prose::LIMIT);
        assert_eq!(Prose::parse(&longest).unwrap().as_str(), longest);
        assert_eq!(Prose::parse(&format!("{longest}!")), Err(TextRefused::TooLong { limit: Prose::LIMIT }));
    }

    #[test]
    fn takes_of_the_control_characters_only_tab_and_line_breaks() {
        for text in ["a\0b", "a\u{8}b", "a\u{b}b", "a\u{1b}[31mb", "a\u{7f}b", "a\u{85}b"] {
            assert_eq!(Prose::parse(text), Err(TextRefused::ControlCharacter), "{text:?}");
        }
    }
}

mod code {
    use super::*;

    #[test]
    fn is_kept_as_given() {
        let text = "if True:\n\tprint('é')\n\n";
        assert_eq!(Code::parse(text.to_owned()).unwrap().as_str(), text);
    }

    #[test]
    fn must_say_something_unless_it_is_only_read() {
        for text in ["", " \n\t"] {
            assert_eq!(Code::parse(text.to_owned()), Err(TextRefused::Empty), "{text:?}");
            assert_eq!(Code::parse_input(text.to_owned()).unwrap().as_str(), text);
        }
    }

    #[test]
    fn cannot_hold_what_the_database_cannot() {
        for parse in [Code::parse, Code::parse_input] {
            assert_eq!(parse("print()\0".to_owned()), Err(TextRefused::ControlCharacter));
        }
    }

    #[test]
    fn is_counted_in_bytes() {
        let longest = "é".repeat(Code::LIMIT / 2);
        let too_long = format!("{longest}!");
        for parse in [Code::parse, Code::parse_input] {
            assert_eq!(parse(longest.clone()).unwrap().as_str(), longest);
            assert_eq!(parse(too_long.clone()), Err(TextRefused::TooManyBytes { limit: Code::LIMIT }));
        }
    }
}

mod a_timeout {
    use super::*;

    #[test]
    fn lies_between_a_second_and_five_minutes() {
        for seconds in [1, 30, 300] {
            assert_eq!(Timeout::from_seconds(seconds).map(Timeout::seconds), Some(seconds));
        }
        for seconds in [0, 301, u32::MAX] {
            assert_eq!(Timeout::from_seconds(seconds), None);
        }
    }

    #[test]
    fn is_half_a_minute_unless_told() {
        assert_eq!(Timeout::default().seconds(), 30);
    }
}

mod an_images_address {
    use workroom_domain::organization::ImageUrl;

    use super::*;

    #[test]
    fn is_one_of_the_web_and_kept_as_given() {
        for text in ["https://example.com/a.png", "http://example.com", "https://example.com/ä?b=c#d"] {
            assert_eq!(ImageUrl::parse(text).unwrap().as_str(), text);
        }
        for text in
            ["", "example.com/a.png", "ftp://example.com/a.png", "https:///a.png", "https://example.com/a b.png"]
        {
            assert_eq!(ImageUrl::parse(text), Err(TextRefused::NoAddress), "{text:?}");
        }
        assert_eq!(ImageUrl::parse("https://example.com/\n"), Err(TextRefused::ControlCharacter));
        let too_long = format!("https://example.com/{}", "a".repeat(2048));
        assert_eq!(ImageUrl::parse(&too_long), Err(TextRefused::TooManyBytes { limit: 2048 }));
    }
}

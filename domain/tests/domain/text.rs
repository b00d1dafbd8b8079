//! What may be typed into a name, a text, a program; and the bounds of what is asked of a job.

use workroom_domain::{
    job::{Code, Key, Language, MaxAttempts, Priority, Timeout},
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

mod a_language {
    use super::*;

    #[test]
    fn is_a_letter_and_what_may_follow() {
        let longest = "a".repeat(Language::LIMIT);
        for name in ["python", "javascript", "bash", "c", "c++", "objective-c", "f_2", "z9+_-", longest.as_str()] {
            assert_eq!(Language::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn is_nothing_else() {
        let too_long = "a".repeat(Language::LIMIT + 1);
        for name in [
            "",
            " ",
            "Python",
            "pythoN",
            "c#",
            "2c",
            "+c",
            "-x",
            "_x",
            "a b",
            " a",
            "a ",
            "a\n",
            "a\0",
            "a/b",
            "a.b",
            "é",
            "aé",
            "a🚀",
            too_long.as_str(),
        ] {
            assert_eq!(Language::parse(name), None, "{name:?}");
        }
    }
}

mod a_key {
    use super::*;

    #[test]
    fn is_kept_as_given() {
        for text in ["nightly", " Zoë’s 🚀 ", "a:b/c", "0"] {
            assert_eq!(Key::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn must_say_something() {
        for text in ["", " ", "\t\r\n", "\u{a0}\u{2003}\u{3000}"] {
            assert_eq!(Key::parse(text), Err(TextRefused::Empty), "{text:?}");
        }
    }

    #[test]
    fn is_counted_in_characters() {
        let longest = "🚀".repeat(Key::LIMIT);
        assert_eq!(Key::parse(&longest).unwrap().as_str(), longest);
        assert_eq!(Key::parse(&format!("{longest}!")), Err(TextRefused::TooLong { limit: Key::LIMIT }));
    }

    #[test]
    fn has_no_control_characters() {
        for text in ["a\nb", "a\tb", "a\0b", "a\u{1b}[31mb", "a\u{7f}b", "a\u{85}b", "a\n"] {
            assert_eq!(Key::parse(text), Err(TextRefused::ControlCharacter), "{text:?}");
        }
    }
}

mod a_number {
    use super::*;

    #[test]
    fn of_seconds_lies_between_one_and_five_minutes_and_is_half_a_minute_unless_told() {
        for seconds in [1, 30, 300] {
            assert_eq!(Timeout::from_seconds(seconds).map(Timeout::seconds), Some(seconds));
        }
        for seconds in [0, 301, u32::MAX] {
            assert_eq!(Timeout::from_seconds(seconds), None);
        }
        assert_eq!(Timeout::default().seconds(), 30);
    }

    #[test]
    fn of_attempts_lies_between_one_and_twenty_five_and_is_one_unless_told() {
        for number in [1, 2, 25] {
            assert_eq!(MaxAttempts::from_number(number).map(MaxAttempts::number), Some(number));
        }
        for number in [0, 26, u32::MAX] {
            assert_eq!(MaxAttempts::from_number(number), None);
        }
        assert_eq!(MaxAttempts::default().number(), 1);
    }

    #[test]
    fn of_a_priority_lies_between_one_and_five_and_is_three_unless_told() {
        for number in 1..=5 {
            assert_eq!(Priority::from_number(number).map(Priority::number), Some(number));
        }
        for number in [0, 6, u8::MAX] {
            assert_eq!(Priority::from_number(number), None);
        }
        assert_eq!(Priority::default().number(), 3);
        assert!(Priority::from_number(1) < Priority::from_number(Priority::LEAST));
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

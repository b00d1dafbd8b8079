//! tidetable: the library that Lantern Software gives away.

use super::{
    ProjectData, TaskData,
    Who::{Hana, Ingrid, Jonas, Leila, Priya, Tomas},
};

pub(super) const PROJECT: ProjectData = ProjectData {
    name: "tidetable",
    description: "A small library that predicts tides from harmonic constants, free for everybody. Version 1.0 is out; \
                  what is left are reports from those who use it.",
    status: "completed",
    priority: "medium",
    is_public: true,
    days: (-76, -4),
    creator: Ingrid,
    lead: None,
    team: &[Tomas, Priya],
    members: &[(Jonas, "owner"), (Leila, "collaborator"), (Hana, "viewer")],
    invited: None,
    tasks: &[
        TaskData::new(
            Jonas,
            "Predict heights from harmonic constants",
            "A height is the mean level and a sum of cosines. Start with M2, S2, N2, K1 and O1: they make up most of \
             the tide on our coast.",
        )
        .kind("feature")
        .high()
        .done(Jonas)
        .due(-60, 16)
        .said(&[
            (Tomas, "Compared with the printed tables for Port Elin: within four centimetres over a month."),
            (Jonas, "Good enough to name it a library."),
        ]),
        TaskData::new(
            Jonas,
            "Find high and low waters",
            "Where the slope changes its sign. Look every ten minutes, then narrow it down.",
        )
        .kind("feature")
        .done(Jonas)
        .due(-48, 16),
        TaskData::new(
            Tomas,
            "Settle the licence of the harbour data",
            "The constants of three harbours come from the hydrographic office. May we give them away?",
        )
        .kind("other")
        .high()
        .done(Ingrid)
        .due(-40, 12)
        .said(&[(Ingrid, "Yes, in writing, as long as we name them. It is in the README.")]),
        TaskData::new(
            Priya,
            "A command that prints a table",
            "`tidetable port-elin 2` prints two days. Nobody should have to write a program to see tomorrow’s tides.",
        )
        .kind("feature")
        .done(Priya)
        .due(-30, 16)
        .said(&[(Jonas, "Already the part that I use most.")]),
        TaskData::new(
            Leila,
            "Times are an hour off in summer",
            "The table for July says 14:02, the harbour says 15:02.",
        )
        .kind("bug")
        .high()
        .done(Jonas)
        .due(-22, 12)
        .said(&[
            (Jonas, "Everything is in UTC, and nothing says so. Now the table does, in its first line."),
            (Leila, "That would have saved me a telephone call. Fine with me."),
        ]),
        TaskData::new(
            Jonas,
            "Test against a published table",
            "Heights of one month for Port Elin, as printed. They must agree within five centimetres.",
        )
        .kind("improvement")
        .done(Tomas)
        .due(-16, 16),
        TaskData::new(
            Jonas,
            "Publish version 1.0",
            "Number, changelog, tag, package. Then write to the two people who asked.",
        )
        .high()
        .done(Jonas)
        .due(-4, 14)
        .said(&[(Ingrid, "Congratulations. Cake is in the kitchen.")]),
        TaskData::new(
            Tomas,
            "An unknown harbour should be an error that says so",
            "`tidetable port-ellin` ends in a traceback. Name the harbours that there are.",
        )
        .kind("bug")
        .doing(Priya)
        .due(2, 12)
        .said(&[(Priya, "I’ll suggest the nearest name as well; it is nearly always a typing mistake.")]),
        TaskData::new(
            Leila,
            "Somebody asks for heights in feet",
            "By mail, from a sailor in Maine. A flag for the command would do; the library can stay with metres.",
        )
        .kind("feature")
        .low()
        .said(&[(Jonas, "The flag only, then. A good first task for somebody from outside.")]),
        TaskData::new(
            Jonas,
            "Shallow-water constituents for Marsund",
            "The ebb there runs faster than the flood, which five cosines cannot say. M4 and MS4 should do it.",
        )
        .kind("improvement")
        .doing(Jonas)
        .due(11, 16)
        .said(&[(Tomas, "I have a year of readings from the gauge at the bridge, if you want to fit them.")]),
        TaskData::new(
            Priya,
            "Say in the README what this must not be used for",
            "It is a prediction without weather. Not for navigation; call the harbour in a storm.",
        )
        .done(Leila)
        .due(-6, 12),
        TaskData::new(Tomas, "Run the tests with each Python that is maintained", "Today only with the newest.")
            .low()
            .waits_for(Tomas),
        TaskData::new(
            Jonas,
            "A year takes eleven seconds",
            "Because every height is computed twice to see whether the water rises, and again where it turns.",
        )
        .kind("improvement")
        .waits_for(Jonas)
        .due(7, 16),
    ],
};

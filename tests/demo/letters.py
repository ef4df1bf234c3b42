"""letters: the demo's mail: a surveyor's office that repairs a bridge, two years of it. The same
seed makes the same letters, byte for byte."""
import datetime
import email.message
import email.policy
import random
import struct
import zlib

UTC = datetime.timezone.utc
FIRST = datetime.datetime(2024, 10, 1, 7, 0, tzinfo=UTC)
LAST = datetime.datetime(2026, 9, 30, 17, 0, tzinfo=UTC)
ANN = "Ann Berg <ann@berg-survey.example>"

PEOPLE = [
    "Jonas Keller <jonas@berg-survey.example>", "Zoë Marchand <zoe.marchand@ponts.example>",
    "Priya Raman <praman@harbour.example>", "Tomás Ruiz <tomas@ruiz-steel.example>",
    "Ingrid Sjöberg <ingrid@tidelab.example>", "accounts@ruiz-steel.example",
    "Owen Price <owen@price-surveyors.example>", "Mei Tanaka <mei.tanaka@harbour.example>",
]

# folder: how many letters, whom they are from or to, and how many of a hundred carry a file
FOLDERS = {
    "INBOX": (110, "from", 12),
    "Sent": (60, "to", 8),
    "Entwürfe": (7, "to", 0),
    "Archive/2024": (40, "from", 6),
    "Archive/2025": (90, "from", 8),
    "Projects": (6, "from", 0),
    "Projects/Bridge": (45, "from", 10),
    "Projects/Bridge/Drawings": (14, "from", 100),
    "Projects/Harbour wall": (18, "from", 10),
    "Réunions": (16, "from", 10),
}
YEARS = {"Archive/2024": (FIRST, datetime.datetime(2024, 12, 31, tzinfo=UTC)),
         "Archive/2025": (datetime.datetime(2025, 1, 1, tzinfo=UTC), datetime.datetime(2025, 12, 31, tzinfo=UTC)),
         "INBOX": (datetime.datetime(2026, 3, 1, tzinfo=UTC), LAST)}

TOPICS = [
    "Pier {n}: bearing plates", "Survey of pier {n}", "Tide gauge, week {n}", "Invoice 2025-{n:04}",
    "Site visit on {day}", "Steel for span {n}", "Größe der Lager an Pfeiler {n}", "Calendrier des travaux — étape {n}",
    "Weld report, span {n}", "Permit for night work", "Réunion du {day}", "橋脚{n}の図面", "Scaffolding at pier {n}",
    "Traffic plan, phase {n}", "Concrete cores from pier {n}", "Holiday cover", "Paint samples", "Crane on {day}?",
]
SENTENCES = [
    "the bearing plates at pier {n} have moved by {mm} mm since the last survey",
    "we can have the crane on {day}, if the tide tables are right",
    "please send the drawings of span {n} again, the last file would not open",
    "the divers found the footing of pier {n} in good order",
    "Tomás quotes {eur} EUR for the steel, delivery within six weeks",
    "the harbour office wants the traffic plan by {day}",
    "readings from the tide gauge are attached as usual",
    "I have marked the cracks wider than {mm} mm in red",
    "could somebody from your side be on site at seven on {day}?",
    "the second coat of paint must wait until the weather turns",
    "the weld at node {n} was ground back and done again",
    "our records of pier {n} go back to 1931, I can lend you the volume",
    "the scaffolding comes down a week earlier than planned",
    "Zoë says that the calendar still holds, with two days to spare",
    "no objections from the fishing club, they only ask for a warning",
    "the cores from pier {n} reached {mm} MPa after twenty-eight days",
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]


def fill(rng, template):
    """A template with this letter's numbers."""
    return template.format(n=rng.randint(1, 9), mm=rng.randint(2, 60), eur=rng.randint(20, 900) * 100,
                           day=rng.choice(DAYS))


def text(rng):
    """A few paragraphs."""
    paragraphs = []
    for _ in range(rng.randint(1, 5)):
        chosen = [fill(rng, sentence) for sentence in rng.sample(SENTENCES, rng.randint(1, 4))]
        lines, line = [], ""
        for word in " ".join(sentence[0].upper() + sentence[1:] + "." for sentence in chosen).split():
            if len(line) + len(word) > 70:
                lines.append(line)
                line = ""
            line += (" " if line else "") + word
        paragraphs.append("\n".join(lines + [line]))
    return "\n\n".join(paragraphs)


def picture(rng):
    """A PNG: a photograph, of sorts."""
    width, height = rng.randint(90, 200), rng.randint(60, 140)
    rows = b"".join(b"\0" + rng.randbytes(3 * width) for _ in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def document(rng):
    """What a PDF looks like from outside."""
    return b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n" + rng.randbytes(rng.randint(8000, 120000)) + b"\n%%EOF\n"


def attach(rng, letter):
    """Adds a file, and makes the boundary one that the seed determines."""
    if rng.random() < 0.5:
        letter.add_attachment(picture(rng), maintype="image", subtype="png", filename=f"IMG_{rng.randint(1000, 9999)}.png")
    else:
        letter.add_attachment(document(rng), maintype="application", subtype="pdf",
                              filename=rng.choice(["drawing", "Prüfbericht", "quote"]) + f"-{rng.randint(1, 99)}.pdf")
    letter.set_boundary(f"=_{rng.getrandbits(64):016x}")


def write(rng, folder, date):
    """One letter, as bytes with CRLF."""
    _, direction, files = FOLDERS[folder]
    other = rng.choice(PEOPLE)
    letter = email.message.EmailMessage(policy=email.policy.SMTP.clone(max_line_length=78))
    letter["Date"] = date
    letter["From"], letter["To"] = (other, ANN) if direction == "from" else (ANN, other)
    letter["Subject"] = ("Re: " if rng.random() < 0.4 else "") + fill(rng, rng.choice(TOPICS))
    letter["Message-ID"] = f"<{date:%Y%m%d%H%M%S}.{rng.getrandbits(40):010x}@berg-survey.example>"
    who = (other if direction == "to" else "Ann").split("@")[0].split()[0]
    letter.set_content(f"Dear {who},\n\n{text(rng)}\n\nBest regards\n", cte="8bit")
    if rng.randrange(100) < files:
        attach(rng, letter)
    return letter.as_bytes()


def flags(rng, folder):
    """What has happened to a letter."""
    if folder == "Entwürfe":
        return ["\\Draft", "\\Seen"]
    chosen = ["\\Seen"] if folder != "INBOX" or rng.random() < 0.8 else []
    if chosen and rng.random() < 0.4:
        chosen.append("\\Answered")
    if rng.random() < 0.08:
        chosen.append("\\Flagged")
    return chosen


def letters(folder):
    """(date, flags, bytes) of each letter of a folder, by time."""
    rng = random.Random("bridge " + folder)
    first, last = YEARS.get(folder, (FIRST, LAST))
    seconds = int((last - first).total_seconds())
    for offset in sorted(rng.sample(range(seconds), FOLDERS[folder][0])):
        date = first + datetime.timedelta(seconds=offset)
        yield date, flags(rng, folder), write(rng, folder, date)

"""The encoding of a file is told from its letters: tables whose values are single words, with and without capitals."""

from collections.abc import Callable

import pytest

from pipeline.proposal.encoding import decoded

TABLES = {
    "Spanish": ("windows-1252", "España Niño Cañada Pequeño Málaga Córdoba Canción"),
    "French": ("windows-1252", "Très Élève Être Déjà Français Modèle Crème"),
    "Norwegian": ("windows-1252", "Rød Grønn Blå Øl Brød Første Ålesund"),
    "German": ("windows-1252", "Straße Grün Öl Äpfel Weiß Über Müller"),
    "Portuguese": ("windows-1252", "Não São Coração Lições Português Água Pão"),
    "Czech": ("windows-1250", "Červená Žlutý Řeka Šálek Dům Město Kůň"),
    "Russian": ("windows-1251", "Красный Дом Книга Читатель Русский Автор Хлеб"),
    "Greek": ("windows-1253", "Βιβλίο Κόκκινο Σπίτι Άνθρωπος Ψωμί Νερό Θάλασσα"),
}


@pytest.mark.parametrize("as_written", [str, str.lower, str.upper])
@pytest.mark.parametrize("language", TABLES)
def test_words_between_commas_are_read_as_they_were_written(language: str, as_written: Callable[[str], str]) -> None:
    encoding, words = TABLES[language]
    values = [*map(as_written, words.split()), "Bread", "milk"]
    table = "user,word,price\n" + "".join(f"u{i % 40},{values[i % 9]},{i % 97}\n" for i in range(400))
    text, found = decoded(table.encode(encoding))
    assert text == table, found


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-8"])
@pytest.mark.parametrize("n", [2, 400])
def test_unicode_is_recognised_in_files_of_any_length(encoding: str, n: int) -> None:
    table = "user,word\n" + "".join(f"u{i},Brød\n" for i in range(n))
    assert decoded(table.encode(encoding)) == (table, None)

"""Query and Scan: indexes, paging, filters, counts, segments."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import make_scores, make_table

PLAYERS = 60
COUNTRIES = ["at", "cz", "de"]


def number(of):
    return {"N": str(of)}


@pytest.fixture(scope="module")
def scores(http):
    return make_scores(http, "board")


@pytest.fixture(scope="module")
def board(dax, scores):
    """Sixty players of one game; their points go down as their numbers go up."""
    made = [
        {
            "game": {"S": "go"},
            "player": {"S": f"p{at:03}"},
            "points": number(f"{1000 - 2.5 * at:g}"),
            "country": {"S": COUNTRIES[at % 3]},
            "title": {"S": "master" if at < 10 else "pupil"},
            "note": {"S": "x" * 50},
        }
        for at in range(PLAYERS)
    ]
    for start in range(0, PLAYERS, 25):
        dax.batch_write_item(RequestItems={scores: [{"PutRequest": {"Item": one}} for one in made[start : start + 25]]})
    # In no index but the table.
    dax.put_item(TableName=scores, Item={"game": {"S": "chess"}, "player": {"S": "p000"}})
    return made


def pages(call, **how):
    """All pages, in order."""
    found = [call(**how)]
    while "LastEvaluatedKey" in found[-1]:
        found.append(call(**how, ExclusiveStartKey=found[-1]["LastEvaluatedKey"]))
    return found


def players(*found):
    return [one["player"]["S"] for page in found for one in page["Items"]]


GO = {"KeyConditionExpression": "game = :g", "ExpressionAttributeValues": {":g": {"S": "go"}}}
CZ = {"KeyConditionExpression": "country = :c", "ExpressionAttributeValues": {":c": {"S": "cz"}}}


@pytest.mark.parametrize("limit", [1, 7, 60, 1000])
@pytest.mark.parametrize("forward", [True, False])
def test_a_query_in_pages_is_the_query(dax, scores, board, limit, forward):
    found = pages(dax.query, TableName=scores, Limit=limit, ScanIndexForward=forward, **GO)
    wanted = [one["player"]["S"] for one in board]
    assert players(*found) == (wanted if forward else wanted[::-1])
    assert all(page["Count"] == page["ScannedCount"] == len(page["Items"]) <= limit for page in found)


@pytest.mark.parametrize("limit", [1, 9, 1000])
def test_a_local_index_in_pages(dax, scores, board, limit):
    found = pages(dax.query, TableName=scores, IndexName="by_points", Limit=limit, **GO)
    assert players(*found) == [one["player"]["S"] for one in board][::-1]
    assert [one for page in found for one in page["Items"]] == board[::-1]
    if len(found) > 1:
        assert set(found[0]["LastEvaluatedKey"]) == {"game", "player", "points"}


@pytest.mark.parametrize("limit", [1, 9, 1000])
def test_a_global_index_in_pages(dax, scores, board, limit):
    found = pages(dax.query, TableName=scores, IndexName="by_country", Limit=limit, ScanIndexForward=False, **CZ)
    assert [one for page in found for one in page["Items"]] == [one for one in board if one["country"] == {"S": "cz"}]
    if len(found) > 1:
        assert set(found[0]["LastEvaluatedKey"]) == {"country", "points", "game", "player"}


def test_an_index_gives_what_is_projected_into_it(dax, scores, board):
    wanted = [{name: one[name] for name in ("country", "player", "game", "title")} for one in board if one["country"] == {"S": "cz"}]
    assert dax.query(TableName=scores, IndexName="names", **CZ)["Items"] == wanted
    assert dax.query(TableName=scores, IndexName="names", Select="ALL_PROJECTED_ATTRIBUTES", **CZ)["Items"] == wanted
    just = dax.query(TableName=scores, IndexName="names", ProjectionExpression="title", Select="SPECIFIC_ATTRIBUTES", **CZ)
    assert just["Items"] == [{"title": one["title"]} for one in wanted]


def test_an_index_range(dax, scores, board):
    found = dax.query(
        TableName=scores,
        IndexName="by_points",
        KeyConditionExpression="game = :g AND points BETWEEN :a AND :b",
        ExpressionAttributeValues={":g": {"S": "go"}, ":a": number("990"), ":b": number("997.50")},
    )
    assert players(found) == ["p004", "p003", "p002", "p001"]


@pytest.mark.parametrize("call", ["query", "scan"])
def test_a_count_comes_without_items(dax, scores, board, call):
    how = GO if call == "query" else {"FilterExpression": "game = :g", "ExpressionAttributeValues": GO["ExpressionAttributeValues"]}
    found = getattr(dax, call)(TableName=scores, Select="COUNT", **how)
    assert (found["Count"], found["ScannedCount"]) == (PLAYERS, PLAYERS + (call == "scan"))
    assert not found.get("Items")


def test_a_filter_is_applied_after_the_limit(dax, scores, board):
    values = {":g": {"S": "go"}, ":t": {"S": "pupil"}}
    how = {"KeyConditionExpression": "game = :g", "FilterExpression": "title = :t", "ExpressionAttributeValues": values}
    first = dax.query(TableName=scores, Limit=10, **how)
    assert (first["Count"], first["ScannedCount"], first["Items"]) == (0, 10, [])
    assert first["LastEvaluatedKey"] == {"game": {"S": "go"}, "player": {"S": "p009"}}
    found = pages(dax.query, TableName=scores, Limit=10, **how)
    assert players(*found) == [one["player"]["S"] for one in board[10:]]
    assert sum(page["ScannedCount"] for page in found) == PLAYERS


@pytest.mark.parametrize("limit", [7, 1000])
def test_a_scan_in_pages_sees_each_item_once(dax, scores, board, limit):
    found = pages(dax.scan, TableName=scores, Limit=limit)
    assert sorted(players(*found)) == sorted([one["player"]["S"] for one in board] + ["p000"])
    for name in ("by_points", "by_country", "names"):
        assert sorted(players(*pages(dax.scan, TableName=scores, IndexName=name, Limit=limit))) == sorted(
            one["player"]["S"] for one in board
        )


@pytest.mark.parametrize("segments", [1, 2, 7])
def test_parallel_segments_share_out_the_table(dax, scores, board, segments):
    def segment(at):
        return pages(dax.scan, TableName=scores, Segment=at, TotalSegments=segments, Limit=5, ConsistentRead=True)

    with ThreadPoolExecutor(segments) as pool:
        found = [players(*one) for one in pool.map(segment, range(segments))]
    together = sorted(player for one in found for player in one)
    assert together == sorted([one["player"]["S"] for one in board] + ["p000"])


def test_a_page_ends_at_a_megabyte(dax, http):
    name = make_table(http, "megabytes", {"pk": "S", "sk": "N"})
    for at in range(11):
        dax.put_item(TableName=name, Item={"pk": {"S": "x"}, "sk": number(at), "text": {"S": "t" * 200_000}})
    how = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "x"}}}
    for _ in range(2):
        found = pages(dax.query, TableName=name, **how)
        assert [page["Count"] for page in found] == [6, 5]
        assert [int(one["sk"]["N"]) for page in found for one in page["Items"]] == list(range(11))
    # The limit of the bytes is on what is read, not on what is given.
    found = pages(dax.query, TableName=name, ProjectionExpression="sk", **how)
    assert [page["Count"] for page in found] == [6, 5]
